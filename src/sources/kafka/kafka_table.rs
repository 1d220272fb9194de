//! A topic as a table of SQL: `select` reads all of it, `insert into` sends records.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, exec_err, plan_err};
use datafusion::datasource::TableType;
use datafusion::datasource::sink::{DataSink, DataSinkExec};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::dml::InsertOp;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan};
use futures::TryStreamExt;
use tokio::sync::mpsc;

use super::KafkaConfig;
use super::inserted_rows::Outgoing;
use super::times::keeps_times;
use super::{KafkaSource, Producer, filters};
use crate::plural::counted;
use crate::sources::{SourceError, record_schema};

/// The error for statements that would do more than add records.
const ONLY_ADDED: &str = "records of a topic cannot be changed or deleted, only added\n  help: `insert into` sends \
                          records; a NULL value with a key is a tombstone: compaction then deletes that key";

/// A topic as a table: `select` reads its current content, `insert into` sends records. All columns but `topic` and
/// `offset` can be inserted.
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
            Arc::new(TopicSink {
                config: self.config.clone(),
            }),
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

/// Sends every row as a record.
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
        // The producer blocks while its queue is full, so it has its own thread.
        let (batches, received) = mpsc::channel::<RecordBatch>(2);
        let config = self.config.clone();
        let sending = tokio::task::spawn_blocking(move || send_all(&config, received));
        let read = loop {
            let batch = match data.try_next().await {
                Ok(Some(batch)) => batch,
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            };
            if batches.send(batch).await.is_err() {
                // The sender has failed; its error says why.
                break Ok(());
            }
        };
        drop(batches);
        let sent = sending
            .await
            .map_err(|error| exec_datafusion_err!("sending stopped: {error}"))?;
        match read {
            Ok(()) => sent,
            Err(error) => Err(after(error, sent?)),
        }
    }
}

/// Sends the batches; returns how many records were delivered. A batch is validated as a whole before any of it is
/// sent.
fn send_all(config: &KafkaConfig, mut batches: mpsc::Receiver<RecordBatch>) -> Result<u64> {
    let mut producer = Producer::connect(config).map_err(external)?;
    let mut has_times = false;
    while let Some(batch) = batches.blocking_recv() {
        let sent = Outgoing::new(&batch, &config.topic, producer.partitions()).and_then(|rows| {
            if rows.has_times() && !has_times {
                has_times = true;
                check_times(config)?;
            }
            rows.records()
                .try_for_each(|record| producer.send_record(record).map_err(external))
        });
        if let Err(error) = sent {
            return Err(after(error, producer.settle()));
        }
    }
    producer.flush().map_err(external)
}

/// Rejects timestamps that the topic would replace.
fn check_times(config: &KafkaConfig) -> Result<()> {
    match keeps_times(config) {
        Some(false) => exec_err!(
            "`timestamp` cannot be written: topic `{}` sets each record's timestamp when it arrives \
             (message.timestamp.type is LogAppendTime)\n  help: leave `timestamp` out, or set message.timestamp.type of \
             the topic to CreateTime",
            config.topic
        ),
        _ => Ok(()),
    }
}

/// Adds to an error how many records were sent before it.
fn after(error: DataFusionError, sent: u64) -> DataFusionError {
    match sent {
        0 => error,
        _ => {
            let sent = counted(sent, "record had been sent", "records had been sent");
            error.context(format!("after {sent}"))
        }
    }
}

fn external(error: SourceError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
