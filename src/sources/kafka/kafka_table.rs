//! Topics as a table of SQL: `select` reads all of them, `insert into` sends records (`topic_sink`).

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result, plan_err};
use datafusion::datasource::TableType;
use datafusion::datasource::sink::DataSinkExec;
use datafusion::logical_expr::dml::InsertOp;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;

use super::KafkaConfig;
use super::topic_sink::TopicSink;
use super::{KafkaSource, filters};
use crate::sources::record_schema;

/// The error for statements that would do more than add records.
const ONLY_ADDED: &str = "records of a topic cannot be changed or deleted, only added\n  help: `insert into` sends \
                          records; a NULL value with a key is a tombstone: compaction then deletes that key";

/// Topics as a table: `select` reads their current content, `insert into` sends records. All columns but `offset` can be
/// inserted; `topic` is needed where there are several.
#[derive(Debug)]
pub struct KafkaTable {
    config: Arc<KafkaConfig>,
}

impl KafkaTable {
    /// Connects only when it is read or written.
    pub fn new(config: KafkaConfig) -> Self {
        Self {
            config: Arc::new(config),
        }
    }
}

#[async_trait]
impl TableProvider for KafkaTable {
    fn schema(&self) -> SchemaRef {
        record_schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(filters.iter().map(|filter| filters::support(filter)).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let source = KafkaSource::new(self.config.as_ref().clone());
        let scan = source
            .everything()
            .await
            .map_err(|error| DataFusionError::External(Box::new(error)))?;
        scan.scan(state, projection, filters, limit).await
    }

    async fn insert_into(
        &self,
        _: &dyn Session,
        input: Arc<dyn ExecutionPlan>,
        op: InsertOp,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if op != InsertOp::Append {
            return plan_err!("{ONLY_ADDED}");
        }
        Ok(Arc::new(DataSinkExec::new(
            input,
            Arc::new(TopicSink::new(self.config.clone())),
            None,
        )))
    }

    async fn delete_from(&self, _: &dyn Session, _: Vec<Expr>) -> Result<Arc<dyn ExecutionPlan>> {
        plan_err!("{ONLY_ADDED}")
    }

    async fn update(&self, _: &dyn Session, _: Vec<(String, Expr)>, _: Vec<Expr>) -> Result<Arc<dyn ExecutionPlan>> {
        plan_err!("{ONLY_ADDED}")
    }

    async fn truncate(&self, _: &dyn Session) -> Result<Arc<dyn ExecutionPlan>> {
        plan_err!("{ONLY_ADDED}")
    }
}
