//! Reads offset ranges of a topic's partitions into record batches: waits for brokers that are silent or fail for a
//! moment, and notices records that disappear meanwhile (`lost_records`, `recreated`).
//!
//! A range is done once the position reaches its end: compacted records and transaction markers leave gaps in the
//! offsets. A broker that sends nothing for 30 seconds is lost; one that has reported a permanent error, after 2. Times
//! beyond the calendar become its last moment.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use chrono::{DateTime, Utc};
use datafusion::common::{DataFusionError, Result};
use datafusion::physical_plan::metrics::{BaselineMetrics, Count};
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::mpsc::Sender;

use super::cause::Cause;
use super::client::{ANSWER, Context, consumer, failed, is_passing, refused};
use super::lost_records::lost;
use super::metadata::{identity, metadata};
use super::native::{Messages, Received};
use super::range::{Range, Task};
use super::recreated::recreated;
use crate::sources::{RecordBatchBuilder, RecordRef, SourceError};

/// A broker that sends nothing for this long is considered lost.
const SILENCE: Duration = Duration::from_secs(30);
/// Permanent errors are reported after a silence of this length.
const SHORT_SILENCE: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(20);
/// Roughly how much memory a reader uses at most: librdkafka's queue plus the batch being built.
pub(super) const READER_BYTES: usize = 64 << 20;

/// What to read, and for which query.
pub(super) struct Reader {
    pub task: Arc<Task>,
    pub ranges: Vec<Range>,
    pub metrics: BaselineMetrics,
    /// Counts the bytes of keys and values.
    pub bytes: Count,
}

/// Reads the ranges and sends batches until all are read or the receiver is gone. Blocks, so it runs on its own thread.
///
/// A range is done once the position reaches its end, not once the last offset was seen: compaction and transaction
/// markers leave gaps.
pub(super) fn read(reader: Reader, out: &Sender<Result<RecordBatch>>) -> Result<()> {
    let Reader {
        task,
        ranges,
        metrics,
        bytes,
    } = reader;
    let mut batch = RecordBatchBuilder::new(task.projection.as_deref());
    let mut left = task.limit.unwrap_or(usize::MAX);
    let mut progress = ReadProgress::new(&ranges);
    let mut connection = if progress.are_done() {
        None
    } else {
        Some(Connection::open(&task, &ranges)?)
    };
    while let Some(connection) = connection.as_mut().filter(|_| left > 0 && !progress.are_done()) {
        let (mut heard, mut trouble) = (false, None);
        for received in connection.messages.poll(POLL) {
            match progress.take(&received) {
                Taken::Record if left > 0 => {
                    append(&mut batch, &task.config.topic, &received);
                    bytes.add(received.key().map_or(0, <[u8]>::len) + received.value().map_or(0, <[u8]>::len));
                    left -= 1;
                    if batch.is_full() && !send(&mut batch, &metrics, out)? {
                        return Ok(());
                    }
                }
                Taken::Record | Taken::News => {}
                Taken::Trouble(code) => {
                    trouble = Some((received.partition(), code, received.reason()));
                    break;
                }
            }
            heard = true;
        }
        if let Some((partition, code, reason)) = trouble {
            connection
                .trouble(code, &reason, partition, &progress)
                .map_err(|error| progress.context(&task, error))?;
        }
        connection
            .listen(heard)
            .map_err(|error| progress.context(&task, error))?;
        connection.pause(&mut progress)?;
    }
    if !batch.is_empty() {
        send(&mut batch, &metrics, out)?;
    }
    metrics.done();
    Ok(())
}

/// How far each partition was read.
struct ReadProgress(BTreeMap<i32, PartitionProgress>);

struct PartitionProgress {
    /// The next offset to read.
    position: i64,
    /// The offset after the last one to read.
    end: i64,
    is_paused: bool,
}

/// The kinds of messages.
enum Taken {
    /// A record in the range.
    Record,
    /// The current end of a partition, or a record past the range.
    News,
    Trouble(RDKafkaErrorCode),
}

impl ReadProgress {
    fn new(ranges: &[Range]) -> Self {
        let waiting = ranges.iter().filter(|range| range.start < range.end);
        let place = |range: &Range| PartitionProgress {
            position: range.start,
            end: range.end,
            is_paused: false,
        };
        Self(waiting.map(|range| (range.partition, place(range))).collect())
    }

    fn are_done(&self) -> bool {
        self.0.values().all(|place| place.position >= place.end)
    }

    fn take(&mut self, received: &Received<'_>) -> Taken {
        let error = received.error();
        // librdkafka looks up a group's coordinator, which nothing here depends on: a user who may read the topic need
        // not have access to any group.
        if error == Some(RDKafkaErrorCode::GroupAuthorizationFailed) {
            return Taken::News;
        }
        let Some(place) = self.0.get_mut(&received.partition()) else {
            return error.map_or(Taken::News, Taken::Trouble);
        };
        match error {
            None => {
                place.position = received.offset() + 1;
                if received.offset() < place.end {
                    Taken::Record
                } else {
                    Taken::News
                }
            }
            // If the log of a newly elected leader still ends before the range does, more will come.
            Some(RDKafkaErrorCode::PartitionEOF) => {
                place.position = place.position.max(received.offset());
                Taken::News
            }
            Some(code) => Taken::Trouble(code),
        }
    }

    /// Adds the progress of reading.
    fn context(&self, task: &Task, error: SourceError) -> DataFusionError {
        let open = self.0.iter().filter(|(_, place)| place.position < place.end);
        let open: Vec<String> = open
            .map(|(partition, place)| {
                format!(
                    "{}/{partition} at offset {} of {}",
                    task.config.topic, place.position, place.end
                )
            })
            .collect();
        external(error).context(format!("reading {}", open.join(", ")))
    }
}

/// A consumer, and the state of its brokers.
struct Connection<'a> {
    task: &'a Task,
    messages: Messages<Context>,
    last_heard: Instant,
}

impl<'a> Connection<'a> {
    fn open(task: &'a Task, ranges: &[Range]) -> Result<Self> {
        let config = &task.config;
        let client = consumer(config).map_err(external)?;
        // The topic may have been recreated since it was planned.
        let metadata = metadata(config, &client).map_err(external)?;
        if let (Some(then), Some(now)) = (task.topic_id, identity(config, &client, &metadata))
            && then != now
        {
            return Err(external(recreated(config)));
        }
        let mut assignment = TopicPartitionList::new();
        ranges
            .iter()
            .filter(|range| range.start < range.end)
            .try_for_each(|range| {
                let start = Offset::Offset(range.start);
                assignment.add_partition_offset(&config.topic, range.partition, start)
            })
            .and_then(|()| client.assign(&assignment))
            .map_err(|error| external(failed(config, &client, &error)))?;
        Ok(Self {
            task,
            messages: Messages::of(client),
            last_heard: Instant::now(),
        })
    }

    /// Carries on if a retry may succeed in a moment.
    fn trouble(
        &self,
        code: RDKafkaErrorCode,
        reason: &str,
        partition: i32,
        progress: &ReadProgress,
    ) -> Result<(), SourceError> {
        let config = &self.task.config;
        let error = KafkaError::MessageConsumption(code);
        match (code, progress.0.get(&partition)) {
            (RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange, Some(place)) => {
                let client = self.messages.client();
                let (low, high) = client
                    .fetch_watermarks(&config.topic, partition, ANSWER)
                    .map_err(|error| refused(config, Some(&error), reason))?;
                Err(lost(&config.place(partition), place.position, &(low..high)))
            }
            _ if is_passing(&error) && !Cause::of(Some(&error), reason).is_final() => {
                tracing::warn!(%code, reason, "a broker failed; waiting for it to recover");
                Ok(())
            }
            _ => Err(refused(config, Some(&error), reason)),
        }
    }

    /// Waits for a silent broker, but not forever.
    fn listen(&mut self, heard: bool) -> Result<(), SourceError> {
        let context = self.messages.client().context();
        if heard {
            // Time spent waiting for the receiver of the batches does not count as silence of the broker either.
            self.last_heard = Instant::now();
            context.forget_error();
            return Ok(());
        }
        let silent = self.last_heard.elapsed();
        let said = context.last_error();
        let is_final = said.as_ref().is_some_and(|said| Cause::of(None, said).is_final());
        if silent > SILENCE || (is_final && silent > SHORT_SILENCE) {
            let said = said.unwrap_or_else(|| "no error was reported".to_owned());
            let reason = format!("it has sent nothing for {} s: {said}", silent.as_secs());
            return Err(refused(&self.task.config, None, &reason));
        }
        Ok(())
    }

    /// Pauses partitions that have been read to their end while others have not.
    fn pause(&self, progress: &mut ReadProgress) -> Result<()> {
        let mut done = TopicPartitionList::new();
        let finished = progress
            .0
            .iter_mut()
            .filter(|(_, place)| place.position >= place.end && !place.is_paused);
        for (partition, place) in finished {
            place.is_paused = true;
            done.add_partition(&self.task.config.topic, *partition);
        }
        if done.count() == 0 || progress.are_done() {
            return Ok(());
        }
        let client = self.messages.client();
        let paused = client.pause(&done);
        paused.map_err(|error| external(failed(&self.task.config, client, &error)))
    }
}

fn external(error: SourceError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// Producers may send anything as milliseconds: a timestamp beyond the calendar is clamped to the last representable
/// one, and never wraps around.
fn micros(millis: i64) -> i64 {
    let (first, last) = (DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC);
    millis
        .saturating_mul(1_000)
        .clamp(first.timestamp_micros(), last.timestamp_micros())
}

fn append(batch: &mut RecordBatchBuilder, topic: &str, received: &Received<'_>) {
    let record = RecordRef {
        topic,
        partition: received.partition(),
        offset: received.offset(),
        timestamp: received.timestamp_millis().map(micros),
        key: received.key(),
        value: received.value(),
    };
    batch.append(&record, |add| received.headers(add));
}

/// Returns `false` once the receiver is gone.
fn send(batch: &mut RecordBatchBuilder, metrics: &BaselineMetrics, out: &Sender<Result<RecordBatch>>) -> Result<bool> {
    let batch = batch.finish()?;
    metrics.record_output(batch.num_rows());
    Ok(out.blocking_send(Ok(batch)).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_other_units_never_wrap() {
        let now = 1_785_000_000;
        assert_eq!(micros(now * 1_000), now * 1_000_000);
        let last = DateTime::<Utc>::MAX_UTC.timestamp_micros();
        for (unit, beyond) in [(1, false), (1_000_000, false), (1_000_000_000, true)] {
            let read = micros(now * unit);
            assert!(read > 0 && read <= last, "{unit}");
            assert_eq!(read == last, beyond, "{unit}");
            assert!(DateTime::from_timestamp_micros(read).is_some(), "{unit} can be shown");
        }
    }
}
