//! Reads offset ranges of partitions, of one or more topics, into record batches, with one client: waits for brokers
//! that are silent or fail for a moment, and notices records that disappear meanwhile (`lost_records`, `recreated`).
//!
//! A range is done once the position reaches its end: compacted records and transaction markers leave gaps in the
//! offsets. A broker that sends nothing for 30 seconds is lost; one that has reported a permanent error, after 2. Times
//! beyond the calendar become its last moment.

use std::collections::BTreeSet;
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
use super::range::{Range, Task, place};
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
                    append(&mut batch, progress.topic(), &received);
                    bytes.add(received.key().map_or(0, <[u8]>::len) + received.value().map_or(0, <[u8]>::len));
                    left -= 1;
                    if batch.is_full() && !send(&mut batch, &metrics, out)? {
                        return Ok(());
                    }
                }
                Taken::Record | Taken::News => {}
                Taken::Trouble(code) => {
                    trouble = Some((
                        received.topic().to_owned(),
                        received.partition(),
                        code,
                        received.reason(),
                    ));
                    break;
                }
            }
            heard = true;
        }
        if let Some((topic, partition, code, reason)) = trouble {
            connection
                .trouble(code, &reason, &topic, partition, &progress)
                .map_err(|error| progress.context(error))?;
        }
        connection.listen(heard).map_err(|error| progress.context(error))?;
        connection.pause(&mut progress)?;
    }
    if !batch.is_empty() {
        send(&mut batch, &metrics, out)?;
    }
    metrics.done();
    Ok(())
}

/// How far each partition was read.
struct ReadProgress {
    /// In the order of topics and partitions.
    places: Vec<PartitionProgress>,
    /// The index of the last message's partition: the next message is usually from the same one.
    last: usize,
}

struct PartitionProgress {
    topic: Arc<str>,
    partition: i32,
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
        let waiting = ranges.iter().filter(|range| !range.is_empty());
        let place = |range: &Range| PartitionProgress {
            topic: range.topic.clone(),
            partition: range.partition,
            position: range.start,
            end: range.end,
            is_paused: false,
        };
        let mut places: Vec<PartitionProgress> = waiting.map(place).collect();
        places.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
        Self { places, last: 0 }
    }

    fn are_done(&self) -> bool {
        self.places.iter().all(PartitionProgress::is_done)
    }

    /// The topic of the last message that came from a partition being read.
    fn topic(&self) -> &str {
        self.places.get(self.last).map_or("", |place| &*place.topic)
    }

    fn index(&self, topic: &str, partition: i32) -> Option<usize> {
        let order = |place: &PartitionProgress| (&*place.topic, place.partition).cmp(&(topic, partition));
        self.places.binary_search_by(order).ok()
    }

    /// The partition that a message came from; `None` if it is not one of those that are read.
    fn place_of(&mut self, received: &Received<'_>) -> Option<&mut PartitionProgress> {
        let (topic, partition) = (received.topic(), received.partition());
        let is_its = |place: &PartitionProgress| place.partition == partition && *place.topic == *topic;
        if !self.places.get(self.last).is_some_and(is_its) {
            self.last = self.index(topic, partition)?;
        }
        self.places.get_mut(self.last)
    }

    fn take(&mut self, received: &Received<'_>) -> Taken {
        let error = received.error();
        // librdkafka looks up a group's coordinator, which nothing here depends on: a user who may read the topic need
        // not have access to any group.
        if error == Some(RDKafkaErrorCode::GroupAuthorizationFailed) {
            return Taken::News;
        }
        let Some(place) = self.place_of(received) else {
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
    fn context(&self, error: SourceError) -> DataFusionError {
        let open = self.places.iter().filter(|open| !open.is_done());
        let open = open.map(|open| {
            let place = place(&open.topic, open.partition);
            format!("{place} at offset {} of {}", open.position, open.end)
        });
        let open: Vec<String> = open.collect();
        external(error).context(format!("reading {}", open.join(", ")))
    }
}

impl PartitionProgress {
    fn is_done(&self) -> bool {
        self.position >= self.end
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
        let waiting = || ranges.iter().filter(|range| !range.is_empty());
        let topics: BTreeSet<&str> = waiting().map(|range| &*range.topic).collect();
        for topic in topics {
            // It may have been recreated since it was planned.
            let metadata = metadata(&config.of_topic(topic), &client, Some(topic)).map_err(external)?;
            if let (Some(then), Some(now)) = (task.topic_ids.get(topic), identity(&client, &metadata, topic))
                && *then != now
            {
                return Err(external(recreated(config, topic)));
            }
        }
        let mut assignment = TopicPartitionList::new();
        waiting()
            .try_for_each(|range| {
                let start = Offset::Offset(range.start);
                assignment.add_partition_offset(&range.topic, range.partition, start)
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
        topic: &str,
        partition: i32,
        progress: &ReadProgress,
    ) -> Result<(), SourceError> {
        let index = progress.index(topic, partition);
        let known = index.and_then(|index| progress.places.get(index));
        // An error that concerns no partition is of all topics.
        let of_topic = self.task.config.of_topic(topic);
        let config = known.map_or(&*self.task.config, |_| &of_topic);
        let error = KafkaError::MessageConsumption(code);
        match (code, known) {
            (RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange, Some(known)) => {
                let client = self.messages.client();
                let (low, high) = client
                    .fetch_watermarks(topic, partition, ANSWER)
                    .map_err(|error| refused(config, Some(&error), reason))?;
                Err(lost(&place(topic, partition), known.position, &(low..high)))
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
            .places
            .iter_mut()
            .filter(|place| place.is_done() && !place.is_paused);
        for place in finished {
            place.is_paused = true;
            done.add_partition(&place.topic, place.partition);
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
