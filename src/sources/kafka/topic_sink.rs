//! Where the rows of an `insert into kafka.SOURCE` go: each becomes a record of its topic. A batch is validated as a
//! whole before any of it is sent.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::sync::{Arc, LazyLock};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, exec_err};
use datafusion::datasource::sink::DataSink;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType};
use futures::TryStreamExt;
use tokio::sync::mpsc;

use super::inserted_rows::{Outgoing, by_topic};
use super::times::keeps_times;
use super::{KafkaConfig, Producer};
use crate::plural::counted;
use crate::sources::{SourceError, record_schema};

/// Sends every row as a record.
#[derive(Debug)]
pub(super) struct TopicSink {
    config: Arc<KafkaConfig>,
}

impl TopicSink {
    /// Connects when rows are written.
    pub fn new(config: Arc<KafkaConfig>) -> Self {
        Self { config }
    }
}

impl DisplayAs for TopicSink {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.config.topics.only() {
            Some(topic) => write!(f, "TopicSink(topic={topic})"),
            None => write!(f, "TopicSink({})", self.config.topics),
        }
    }
}

#[async_trait]
impl DataSink for TopicSink {
    fn schema(&self) -> &SchemaRef {
        static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(record_schema);
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

/// Sends the batches; returns how many records were delivered.
fn send_all(config: &KafkaConfig, mut batches: mpsc::Receiver<RecordBatch>) -> Result<u64> {
    let mut producers = Producers::default();
    // A topic that is missing is an error even if there is nothing to send.
    if let Some(topic) = config.topics.only() {
        producers.to(topic, config)?;
    }
    while let Some(batch) = batches.blocking_recv() {
        if let Err(error) = producers.send(&batch, config) {
            return Err(after(error, producers.settle()));
        }
    }
    producers.flush()
}

/// The producers of the topics that rows have named so far.
#[derive(Default)]
struct Producers(BTreeMap<String, TopicProducer>);

struct TopicProducer {
    producer: Producer,
    /// Whether it is known that the topic keeps timestamps.
    keeps_times: bool,
}

impl Producers {
    /// The producer of a topic, which connects first.
    fn to(&mut self, topic: &str, config: &KafkaConfig) -> Result<&mut TopicProducer> {
        match self.0.entry(topic.to_owned()) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(new) => Ok(new.insert(TopicProducer {
                producer: Producer::to(topic, config).map_err(external)?,
                keeps_times: false,
            })),
        }
    }

    fn send(&mut self, batch: &RecordBatch, config: &KafkaConfig) -> Result<()> {
        let mut outgoing = vec![];
        for (topic, rows) in by_topic(batch, &config.topics)? {
            let producer = self.to(&topic, config)?;
            let rows = Outgoing::new(&rows, &topic, producer.producer.partitions())?;
            if rows.has_times() && !producer.keeps_times {
                check_times(&topic, config)?;
                producer.keeps_times = true;
            }
            outgoing.push((topic, rows));
        }
        for (topic, rows) in &outgoing {
            let producer = &mut self.to(topic, config)?.producer;
            rows.records()
                .try_for_each(|record| producer.send_record(record).map_err(external))?;
        }
        Ok(())
    }

    /// Waits for the records that were sent before another error occurred; returns how many were delivered.
    fn settle(self) -> u64 {
        self.0.into_values().map(|topic| topic.producer.settle()).sum()
    }

    /// Waits until every record has been delivered, and returns how many.
    fn flush(self) -> Result<u64> {
        let (mut sent, mut failed) = (0, None);
        for topic in self.0.into_values() {
            match topic.producer.flush() {
                Ok(delivered) => sent += delivered,
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        match failed {
            None => Ok(sent),
            Some(error) => Err(after(external(error), sent)),
        }
    }
}

/// Rejects timestamps that the topic would replace.
fn check_times(topic: &str, config: &KafkaConfig) -> Result<()> {
    match keeps_times(config, topic) {
        Some(false) => exec_err!(
            "`timestamp` cannot be written: topic `{topic}` sets each record's timestamp when it arrives \
             (message.timestamp.type is LogAppendTime)\n  help: leave `timestamp` out, or set message.timestamp.type of \
             the topic to CreateTime"
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
