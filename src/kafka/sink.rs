use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, not_impl_err, plan_err};
use datafusion::datasource::TableType;
use datafusion::datasource::sink::{DataSink, DataSinkExec};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::dml::InsertOp;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan};
use futures::TryStreamExt;

use super::{KafkaSource, Producer, filters};
use crate::config::KafkaConfig;
use crate::source::record_schema;

/// A topic as a table: `select` reads what it holds at that moment, `insert into t (key, value)` sends records.
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
            return not_impl_err!("a topic can only be added to: insert into");
        }
        if input.schema().column_with_name("value").is_none() {
            return plan_err!("insert into a topic needs a column `value`");
        }
        Ok(Arc::new(DataSinkExec::new(
            input,
            Arc::new(TopicSink {
                config: self.config.clone(),
            }),
            None,
        )))
    }
}

/// Sends `key` and `value` of every row, a NULL value as a tombstone; the other columns are the broker's to fill.
#[derive(Debug)]
struct TopicSink {
    config: Arc<KafkaConfig>,
}

impl DisplayAs for TopicSink {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TopicSink(topic={})", self.config.topic)
    }
}

#[async_trait]
impl DataSink for TopicSink {
    fn schema(&self) -> &SchemaRef {
        static SCHEMA: std::sync::LazyLock<SchemaRef> = std::sync::LazyLock::new(record_schema);
        &SCHEMA
    }

    async fn write_all(&self, mut data: SendableRecordBatchStream, _: &Arc<TaskContext>) -> Result<u64> {
        // The producer blocks where the queue is full, so it has a thread of its own.
        let (batches, mut received) = tokio::sync::mpsc::channel::<RecordBatch>(2);
        let config = self.config.clone();
        let sending = tokio::task::spawn_blocking(move || -> Result<u64> {
            let external = |error| DataFusionError::External(Box::new(error));
            let mut producer = Producer::connect(&config).map_err(external)?;
            while let Some(batch) = received.blocking_recv() {
                send(&mut producer, &batch)?;
            }
            producer.flush().map_err(external)
        });
        while let Some(batch) = data.try_next().await? {
            if batches.send(batch).await.is_err() {
                // The sender has failed; its error says why.
                break;
            }
        }
        drop(batches);
        sending
            .await
            .map_err(|error| exec_datafusion_err!("sending stopped: {error}"))?
    }
}

fn send(producer: &mut Producer, batch: &RecordBatch) -> Result<()> {
    let column = |name: &str| {
        batch
            .column_by_name(name)
            .map(|column| cast(column, &DataType::Binary))
            .transpose()
    };
    let (keys, values) = (column("key")?, column("value")?);
    let Some(values) = values else {
        return plan_err!("insert into a topic needs a column `value`");
    };
    let (keys, values) = (
        keys.as_ref().map(|keys| keys.as_binary::<i32>()),
        values.as_binary::<i32>(),
    );
    for row in 0..batch.num_rows() {
        let key = keys.filter(|keys| keys.is_valid(row)).map(|keys| keys.value(row));
        let value = values.is_valid(row).then(|| values.value(row));
        producer
            .send(key, value)
            .map_err(|error| DataFusionError::External(Box::new(error)))?;
    }
    Ok(())
}
