//! A whole source as a table, for `changes('SOURCE')` outside of a step.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result, exec_err};
use datafusion::datasource::TableType;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;

use super::{FromTheStart, ReadOptions, Source, record_schema};

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
