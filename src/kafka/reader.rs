//! One partition, from an offset to another, into record batches.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use datafusion::common::{DataFusionError, Result, exec_err};
use datafusion::physical_plan::metrics::BaselineMetrics;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::mpsc::Sender;

use super::client::{Context, consumer, failed};
use super::scan::Range;
use crate::config::KafkaConfig;
use crate::source::{RecordBatchBuilder, RecordRef};

/// A broker that sends nothing for so long is taken for lost.
const SILENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);

/// What to read, and for whom.
pub(super) struct Reader {
    pub config: Arc<KafkaConfig>,
    pub range: Range,
    pub projection: Option<Vec<usize>>,
    pub limit: Option<usize>,
    pub metrics: BaselineMetrics,
}

/// Reads the range and sends batches until it is read or nobody listens any more. Blocks; runs on a thread of its own.
///
/// The range is done once the position has reached its end, not once the last offset was seen: compaction and the
/// markers of transactions leave gaps.
pub(super) fn read(reader: Reader, out: &Sender<Result<RecordBatch>>) -> Result<()> {
    let Reader {
        config,
        range,
        projection,
        limit,
        metrics,
    } = reader;
    let client = open(&config, range)?;
    let mut batch = RecordBatchBuilder::new(projection.as_deref());
    let mut left = limit.unwrap_or(usize::MAX);
    let mut last_heard = Instant::now();
    let mut position = range.start;
    while position < range.end && left > 0 {
        match client.poll(POLL) {
            None if last_heard.elapsed() > SILENCE => {
                return exec_err!(
                    "Kafka at {} sent nothing for {} s: {}/{} stands at offset {position} of {}",
                    config.brokers,
                    SILENCE.as_secs(),
                    config.topic,
                    range.partition,
                    range.end
                );
            }
            None => continue,
            // The log's end, which is not before the range's.
            Some(Err(KafkaError::PartitionEOF(_))) => break,
            Some(Err(error)) => return Err(read_error(&config, client.context(), range, position, &error)),
            Some(Ok(message)) => {
                position = message.offset() + 1;
                if message.offset() < range.end {
                    append(&mut batch, &config.topic, &message);
                    left -= 1;
                }
            }
        }
        last_heard = Instant::now();
        if batch.is_full() && !send(&mut batch, &metrics, out)? {
            return Ok(());
        }
    }
    if !batch.is_empty() {
        send(&mut batch, &metrics, out)?;
    }
    metrics.done();
    Ok(())
}

fn open(config: &KafkaConfig, range: Range) -> Result<BaseConsumer<Context>> {
    let external = |error| DataFusionError::External(Box::new(error));
    let client = consumer(config).map_err(external)?;
    let mut assignment = TopicPartitionList::new();
    assignment
        .add_partition_offset(&config.topic, range.partition, Offset::Offset(range.start))
        .and_then(|()| client.assign(&assignment))
        .map_err(|error| external(failed(config, client.context(), &error)))?;
    Ok(client)
}

fn append(batch: &mut RecordBatchBuilder, topic: &str, message: &BorrowedMessage<'_>) {
    let record = RecordRef {
        topic,
        partition: message.partition(),
        offset: message.offset(),
        timestamp: message.timestamp().to_millis().map(|millis| millis * 1_000),
        key: message.key(),
        value: message.payload(),
    };
    batch.append(&record, |add| {
        for header in message.headers().into_iter().flat_map(Headers::iter) {
            add(header.key, header.value);
        }
    });
}

/// `false` where nobody listens any more.
fn send(batch: &mut RecordBatchBuilder, metrics: &BaselineMetrics, out: &Sender<Result<RecordBatch>>) -> Result<bool> {
    let batch = batch.finish()?;
    metrics.record_output(batch.num_rows());
    Ok(out.blocking_send(Ok(batch)).is_ok())
}

fn read_error(
    config: &KafkaConfig,
    context: &Context,
    range: Range,
    position: i64,
    error: &KafkaError,
) -> DataFusionError {
    let place = format!("{}/{} at offset {position}", config.topic, range.partition);
    DataFusionError::External(Box::new(failed(config, context, error))).context(format!("reading {place}: {error}"))
}
