//! A table without rows that keeps its name, for statements that are planned only for their lineage.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::TableType;
use datafusion::error::Result;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;

/// An empty table with the name that lineage reports for it, wherever it occurs in a statement:
/// `changes('silver.events')` is `silver.events`.
#[derive(Debug)]
pub struct NamedTable {
    /// The name.
    pub name: String,
    /// Its columns.
    pub columns: SchemaRef,
}

#[async_trait]
impl TableProvider for NamedTable {
    fn schema(&self) -> SchemaRef {
        self.columns.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = datafusion::common::project_schema(&self.columns, projection)?;
        Ok(Arc::new(EmptyExec::new(schema)))
    }
}
