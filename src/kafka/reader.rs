//! One partition, from an offset to another, into record batches.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use datafusion::common::{DataFusionError, Result};
use datafusion::physical_plan::metrics::{BaselineMetrics, Count};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::mpsc::Sender;

use super::client::{ANSWER, Context, consumer, failed};
use super::scan::Range;
use crate::config::KafkaConfig;
use crate::source::{RecordBatchBuilder, RecordRef, SourceError};

/// A broker that sends nothing for so long is taken for lost.
const SILENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);
/// About what a reader holds at most: librdkafka's queue, and the batch that is being built.
pub(super) const READER_BYTES: usize = 32 << 20;

/// What to read, and for whom.
pub(super) struct Reader {
    pub config: Arc<KafkaConfig>,
    pub range: Range,
    pub projection: Option<Vec<usize>>,
    pub limit: Option<usize>,
    pub metrics: BaselineMetrics,
    pub bytes: Count,
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
        bytes,
    } = reader;
    let mut batch = RecordBatchBuilder::new(projection.as_deref());
    let mut left = limit.unwrap_or(usize::MAX);
    let mut cursor = Cursor::open(config.clone(), range)?;
    while left > 0 && cursor.next(&mut |message| append(&mut batch, &config.topic, message, &bytes))? {
        left -= 1;
        if batch.is_full() {
            if !send(&mut batch, &metrics, out)? {
                return Ok(());
            }
            // Waiting for whoever takes the batches is not the broker's silence.
            cursor.last_heard = Instant::now();
        }
    }
    if !batch.is_empty() {
        send(&mut batch, &metrics, out)?;
    }
    metrics.done();
    Ok(())
}

/// Where a partition is being read.
struct Cursor {
    config: Arc<KafkaConfig>,
    range: Range,
    client: Option<BaseConsumer<Context>>,
    /// The next offset that is wanted.
    position: i64,
    last_heard: Instant,
    /// Whether the leader said, before the present client began, that its log reaches the end of the range.
    leader_has_all: bool,
}

impl Cursor {
    fn open(config: Arc<KafkaConfig>, range: Range) -> Result<Self> {
        let client = if range.start < range.end {
            Some(open(&config, range.partition, range.start)?)
        } else {
            None
        };
        Ok(Self {
            config,
            range,
            client,
            position: range.start,
            last_heard: Instant::now(),
            leader_has_all: false,
        })
    }

    /// Gives the next message of the range to `take`; `false` once there is none.
    fn next(&mut self, take: &mut dyn FnMut(&BorrowedMessage<'_>)) -> Result<bool> {
        while self.position < self.range.end {
            let Some(client) = &self.client else { break };
            match client.poll(POLL) {
                None => self.silence()?,
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    if self.is_gap()? {
                        break;
                    }
                }
                Some(Err(error)) => {
                    return Err(read_error(&self.config, client, self.range, self.position, &error));
                }
                Some(Ok(message)) => {
                    self.position = message.offset() + 1;
                    self.last_heard = Instant::now();
                    if message.offset() < self.range.end {
                        take(&message);
                        return Ok(true);
                    }
                }
            }
        }
        Ok(false)
    }

    fn silence(&self) -> Result<()> {
        if self.last_heard.elapsed() <= SILENCE {
            return Ok(());
        }
        Err(external(SourceError::Stalled {
            what: format!("Kafka at {}", self.config.brokers),
            seconds: SILENCE.as_secs(),
            place: format!("{}/{}", self.config.topic, self.range.partition),
            position: self.position,
            end: self.range.end,
        }))
    }

    /// The answering broker's log ends before the range does. Either what is left of the range is a gap, or that broker
    /// has not caught up yet (a leader just elected): only what a client reads that began after the leader had all
    /// of the range counts as a gap.
    fn is_gap(&mut self) -> Result<bool> {
        if self.leader_has_all {
            return Ok(true);
        }
        let Some(client) = &self.client else { return Ok(true) };
        let (_, high) = client
            .fetch_watermarks(&self.config.topic, self.range.partition, ANSWER)
            .map_err(|error| external(failed(&self.config, client, &error)))?;
        if high >= self.range.end {
            self.client = Some(open(&self.config, self.range.partition, self.position)?);
            self.leader_has_all = true;
        }
        Ok(false)
    }
}

fn external(error: SourceError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

fn open(config: &KafkaConfig, partition: i32, start: i64) -> Result<BaseConsumer<Context>> {
    let client = consumer(config).map_err(external)?;
    let mut assignment = TopicPartitionList::new();
    assignment
        .add_partition_offset(&config.topic, partition, Offset::Offset(start))
        .and_then(|()| client.assign(&assignment))
        .map_err(|error| external(failed(config, &client, &error)))?;
    Ok(client)
}

fn append(batch: &mut RecordBatchBuilder, topic: &str, message: &BorrowedMessage<'_>, bytes: &Count) {
    bytes.add(message.key_len() + message.payload_len());
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
    client: &BaseConsumer<Context>,
    range: Range,
    position: i64,
    error: &KafkaError,
) -> DataFusionError {
    let place = format!("{}/{} at offset {position}", config.topic, range.partition);
    DataFusionError::External(Box::new(failed(config, client, error))).context(format!("reading {place}: {error}"))
}
