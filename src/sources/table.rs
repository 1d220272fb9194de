//! What `changes('SOURCE')` returns: the records of a source, with its name as the column `source`; in a step those that
//! are pending, elsewhere the whole source ([`SourceTable`]).

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result, exec_err};
use datafusion::datasource::{TableType, ViewTable, provider_as_source};
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, TableProviderFilterPushDown, ident, lit};
use datafusion::physical_plan::ExecutionPlan;

use super::{FromTheStart, ReadOptions, Source, record_schema};

/// The column with the name of the source.
const SOURCE: &str = "source";

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let source = Arc::new(Field::new(SOURCE, DataType::Utf8, true));
    let records = record_schema();
    Arc::new(Schema::new(
        records.fields().iter().cloned().chain([source]).collect::<Vec<_>>(),
    ))
});

/// The columns of [`named_records`]: those of [`record_schema`], and `source`.
pub fn named_record_schema() -> SchemaRef {
    SCHEMA.clone()
}

/// Records with the name of their source. The name is a constant of the plan: readers and formats do not know it.
///
/// # Errors
/// Never for a table with the columns of records; the planner just cannot know that.
pub fn named_records(source: &str, records: Arc<dyn TableProvider>) -> Result<Arc<dyn TableProvider>> {
    let columns = records.schema();
    let columns = columns.fields().iter().map(|field| ident(field.name()));
    let columns: Vec<Expr> = columns.chain([lit(source).alias(SOURCE)]).collect();
    let plan = LogicalPlanBuilder::scan(source, provider_as_source(records), None)?
        .project(columns)?
        .build()?;
    Ok(Arc::new(ViewTable::new(plan, None)))
}

/// Everything that a source holds when a query is planned. The source is not contacted before.
#[derive(Debug)]
pub struct SourceTable(Arc<dyn Source>);

impl SourceTable {
    /// Does not contact the source yet.
    pub fn new(source: Arc<dyn Source>) -> Self {
        Self(source)
    }
}

#[async_trait]
impl TableProvider for SourceTable {
    fn schema(&self) -> SchemaRef {
        record_schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Unsupported; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let pending = self.0.pending(&FromTheStart, ReadOptions::default()).await;
        let pending = pending.map_err(|error| DataFusionError::External(Box::new(error)))?;
        if let Some(reason) = pending.not_taken {
            return exec_err!("the source cannot be read now: {reason}");
        }
        pending.provider.scan(state, projection, filters, limit).await
    }
}
