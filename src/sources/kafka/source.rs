//! What is pending in a topic, and the positions to commit with it: from the committed offset of each partition to its
//! current end, all fixed before the run. Where records are gone by then, it is refused or continued: after retention
//! by `lost_records`, where the topic was deleted and created again by `recreated`. A partition that was never read
//! starts at its earliest record. A batch that is limited takes the same share of every partition (`shorten`).

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range as Offsets;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::consumer::{BaseConsumer, Consumer};

use super::KafkaConfig;
use super::client::{Context, ask_leaders, consumer};
use super::lost_records::read_on;
use super::metadata::{identity, metadata, numbers};
use super::recreated::{forget, is_recreated};
use super::times::{TimeOffset, offsets_at};
use super::{KafkaScan, Range};
use crate::sources::{Committed, FromTheStart, Pending, Positions, ReadOptions, Source, SourceError};

/// A topic. Places are `topic/partition`, positions are the next offset to read; `topic/id` holds the topic's identity.
#[derive(Clone)]
pub struct KafkaSource {
    config: Arc<KafkaConfig>,
    /// The client of the last successful request, kept because connecting is expensive, especially over TLS.
    client: Arc<Mutex<Option<Arc<BaseConsumer<Context>>>>>,
}

impl fmt::Debug for KafkaSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaSource")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// A topic as the brokers describe it.
struct Topic {
    /// See [`identity`].
    id: Option<i64>,
    /// The number of each partition and its offsets, from the first to the one after the last, in order.
    partitions: Vec<(i32, Offsets<i64>)>,
    /// The offset of the start time in each partition, in the order of the partitions.
    from: Vec<TimeOffset>,
}

/// What to read from a topic.
struct Pinned {
    scan: KafkaScan,
    next: Positions,
    records: u64,
    /// How many records are waiting, by place.
    lag: BTreeMap<String, u64>,
}

impl KafkaSource {
    /// Connects on the first request.
    pub fn new(config: KafkaConfig) -> Self {
        Self {
            config: Arc::new(config),
            client: Arc::default(),
        }
    }

    /// The whole topic as of now.
    ///
    /// # Errors
    /// As [`Source::pending`].
    pub async fn everything(&self) -> Result<KafkaScan, SourceError> {
        let pinned = self.pin(&FromTheStart, ReadOptions::default()).await?;
        Ok(pinned.scan)
    }

    async fn describe(&self, from_millis: Option<i64>) -> Result<Topic, SourceError> {
        let (config, client) = (self.config.clone(), self.client.clone());
        let asked = tokio::task::spawn_blocking(move || {
            let mut kept = client.lock().unwrap_or_else(PoisonError::into_inner);
            let client = match kept.take() {
                Some(client) => client,
                None => consumer(&config)?,
            };
            let topic = describe(&config, &client, from_millis)?;
            // Connection events are not needed, and must not pile up.
            while client.poll(Duration::ZERO).is_some() {}
            client.context().forget_error();
            *kept = Some(client);
            Ok(topic)
        });
        let asked = asked.await;
        asked.map_err(|stopped| SourceError::Unreachable {
            what: format!("Kafka at {}", self.config.brokers),
            reason: stopped.to_string(),
            help: "try again".to_owned(),
        })?
    }

    /// Fixes what to read, and the positions to commit with it.
    async fn pin(&self, committed: &dyn Committed, options: ReadOptions) -> Result<Pinned, SourceError> {
        let topic = self.describe(options.from_timestamp_millis).await?;
        let is_new = is_recreated(&self.config, topic.id, committed, options.on_loss).await?;
        let (mut ranges, mut next) = (vec![], Positions::new());
        for (index, (partition, offsets)) in topic.partitions.iter().enumerate() {
            let place = self.config.place(partition);
            let committed = committed.position(&place).await?;
            let start = match (committed.filter(|_| !is_new), options.from_timestamp_millis) {
                // A partition that was never read starts at its earliest available record.
                (None, None) => offsets.start,
                (None, Some(_)) => self.from(topic.from.get(index), offsets)?,
                (Some(_), Some(_)) => return Err(self.was_read(place)),
                (Some(next), None) => read_on(&place, next, offsets, options.on_loss)?,
            };
            ranges.push(Range {
                partition: *partition,
                start,
                end: offsets.end,
            });
        }
        let waits = |range: &Range| (self.config.place(range.partition), range.end.abs_diff(range.start));
        let lag = ranges.iter().map(waits).collect();
        if let Some(most) = options.records_max {
            shorten(&mut ranges, most);
        }
        let ends = ranges.iter();
        next.extend(ends.map(|range| (self.config.place(range.partition), range.end)));
        if is_new {
            forget(&self.config, &mut next, committed).await?;
        }
        next.extend(topic.id.map(|id| (self.config.place("id"), id)));
        Ok(Pinned {
            records: ranges.iter().map(|range| range.end.abs_diff(range.start)).sum(),
            scan: KafkaScan::new(self.config.clone(), topic.id, ranges),
            next,
            lag,
        })
    }

    fn from(&self, from: Option<&TimeOffset>, offsets: &Offsets<i64>) -> Result<i64, SourceError> {
        match from {
            Some(TimeOffset::At(offset)) => Ok((*offset).clamp(offsets.start, offsets.end)),
            Some(TimeOffset::AfterAll) => Ok(offsets.end),
            Some(TimeOffset::Unknown) | None if offsets.is_empty() => Ok(offsets.end),
            Some(TimeOffset::Unknown) | None => Err(SourceError::FromTimestamp {
                what: format!("topic `{}`", self.config.topic),
                reason: "the broker cannot look up offsets by time".to_owned(),
                help: "leave --from-timestamp out, and filter by `timestamp` in the SQL".to_owned(),
            }),
        }
    }

    fn was_read(&self, place: String) -> SourceError {
        SourceError::FromTimestamp {
            what: format!("topic `{}`", self.config.topic),
            reason: format!("{place} has already been read, and its records are in the table"),
            help:
                "to replace the table with the records from then on: clickrec run --from-timestamp TIME --full-refresh \
                   --select STEP+; to continue where the last run ended, leave --from-timestamp out"
                    .to_owned(),
        }
    }
}

#[async_trait]
impl Source for KafkaSource {
    async fn pending(&self, committed: &dyn Committed, options: ReadOptions) -> Result<Pending, SourceError> {
        let Pinned {
            scan,
            next,
            records,
            lag,
        } = self.pin(committed, options).await?;
        Ok(Pending {
            keep: false,
            provider: Arc::new(scan),
            next,
            records,
            lag,
        })
    }

    async fn sample(&self, most: usize) -> Result<Vec<Vec<u8>>, SourceError> {
        let options = ReadOptions {
            records_max: Some(most as u64),
            ..ReadOptions::default()
        };
        let pinned = self.pin(&FromTheStart, options).await?;
        let values = pinned.scan.values().await;
        values.map_err(|error| SourceError::Unreachable {
            what: format!("the topic {} at {}", self.config.topic, self.config.brokers),
            reason: error.message().into_owned(),
            help: "try again".to_owned(),
        })
    }
}

/// Cuts the ranges to about `most` records in total, keeping the same fraction of each partition, so that none falls
/// behind.
fn shorten(ranges: &mut [Range], most: u64) {
    let waiting = |range: &Range| range.end.abs_diff(range.start);
    let all: u64 = ranges.iter().map(waiting).sum();
    if all <= most {
        return;
    }
    for range in ranges {
        let share = u128::from(waiting(range)) * u128::from(most) / u128::from(all);
        // At least one, so that every batch makes progress.
        let taken = i64::try_from(share).unwrap_or(i64::MAX).max(1);
        range.end = range.end.min(range.start.saturating_add(taken));
    }
}

fn describe(
    config: &KafkaConfig,
    client: &BaseConsumer<Context>,
    from_millis: Option<i64>,
) -> Result<Topic, SourceError> {
    let metadata = metadata(config, client)?;
    let numbers = numbers(config, &metadata)?;
    let mut partitions = vec![];
    for partition in numbers {
        let (low, high) = ask_leaders(config, client, |timeout| {
            client.fetch_watermarks(&config.topic, partition, timeout)
        })?;
        partitions.push((partition, low..high));
    }
    let mut from = vec![];
    if let Some(millis) = from_millis {
        let filled = partitions.iter().filter(|(_, offsets)| !offsets.is_empty());
        let filled: Vec<i32> = filled.map(|(partition, _)| *partition).collect();
        let found = offsets_at(config, client, &filled, millis)?;
        let of = |partition| found.get(partition).copied().unwrap_or(TimeOffset::Unknown);
        from = partitions.iter().map(|(partition, _)| of(partition)).collect();
    }
    Ok(Topic {
        id: identity(config, client, &metadata),
        partitions,
        from,
    })
}
