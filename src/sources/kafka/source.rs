//! What is pending in topics, and the positions to commit with it: from the committed offset of each partition to its
//! current end, all fixed before the run. If records are gone by then, the run is refused or continues: `lost_records`
//! decides after retention, `recreated` if a topic was deleted and created again, `deleted` if it is gone. A partition
//! that was never read starts at its earliest record. A batch that is limited takes the same share of every partition
//! (`shorten`).

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range as Offsets;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::consumer::{BaseConsumer, Consumer};

use super::KafkaConfig;
use super::client::{Context, consumer};
use super::deleted::mark_deleted;
use super::describe::{Topic, describe};
use super::lost_records::read_on;
use super::range::{TopicIds, place};
use super::recreated::{forget, is_recreated};
use super::times::TimeOffset;
use super::{KafkaScan, Range};
use crate::sources::{Committed, FromTheStart, Pending, Positions, ReadOptions, Source, SourceError, Unproven};

/// Topics. Places are `topic/partition`, positions are the next offset to read; `topic/id` holds a topic's identity.
#[derive(Clone)]
pub struct KafkaSource {
    config: Arc<KafkaConfig>,
    /// The client of the last successful request, kept because connecting is expensive, especially over TLS.
    client: Arc<Mutex<Option<Arc<BaseConsumer<Context>>>>>,
    /// Whether the user was warned that there are no topics: once, not with each batch.
    is_told: Arc<AtomicBool>,
}

impl fmt::Debug for KafkaSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaSource")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// What to read.
struct Pinned {
    scan: KafkaScan,
    next: Positions,
    /// Whether to commit the positions even if there is nothing to read.
    keep: bool,
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
            is_told: Arc::default(),
        }
    }

    /// All of its topics as of now.
    ///
    /// # Errors
    /// As [`Source::pending`].
    pub async fn everything(&self) -> Result<KafkaScan, SourceError> {
        let pinned = self.pin(&FromTheStart, ReadOptions::default()).await?;
        Ok(pinned.scan)
    }

    async fn describe(&self, from_millis: Option<i64>) -> Result<Vec<Topic>, SourceError> {
        let (config, client) = (self.config.clone(), self.client.clone());
        let asked = tokio::task::spawn_blocking(move || {
            let mut kept = client.lock().unwrap_or_else(PoisonError::into_inner);
            let client = match kept.take() {
                Some(client) => client,
                None => consumer(&config)?,
            };
            let topics = describe(&config, &client, from_millis)?;
            // Connection events are not needed, and must not pile up.
            while client.poll(Duration::ZERO).is_some() {}
            client.context().forget_error();
            *kept = Some(client);
            Ok(topics)
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
        let topics = self.describe(options.from_timestamp_millis).await?;
        self.warn_of_none(&topics);
        let (mut ranges, mut recreated): (Vec<Range>, Vec<&str>) = (vec![], vec![]);
        for topic in &topics {
            let is_new = is_recreated(&self.config, topic, committed, options.on_loss).await?;
            recreated.extend(is_new.then_some(&*topic.name));
            let committed: &dyn Committed = if is_new { &FromTheStart } else { committed };
            ranges.extend(ranges_of(topic, committed, options).await?);
        }
        let lag = ranges.iter().map(|range| (range.place(), range.len())).collect();
        if let Some(most) = options.records_max {
            shorten(&mut ranges, most);
        }
        let mut next: Positions = ranges.iter().map(|range| (range.place(), range.end)).collect();
        for topic in recreated {
            forget(topic, &mut next, committed).await?;
        }
        let keep = mark_deleted(&self.config, &topics, committed, options.on_loss, &mut next).await?;
        let ids: TopicIds = topics
            .iter()
            .filter_map(|topic| Some((topic.name.clone(), topic.id?)))
            .collect();
        next.extend(ids.iter().map(|(topic, id)| (place(topic, "id"), *id)));
        Ok(Pinned {
            records: ranges.iter().map(Range::len).sum(),
            scan: KafkaScan::new(self.config.clone(), ids, ranges),
            next,
            keep,
            lag,
        })
    }

    fn warn_of_none(&self, topics: &[Topic]) {
        let is_told = self.is_told.swap(topics.is_empty(), Ordering::Relaxed);
        if topics.is_empty() && !is_told {
            tracing::warn!(
                "there are no {} at {}: nothing to read until one is created\n  help: check `topic_pattern` of the \
                 source, and that this user may see (DESCRIBE) the topics",
                self.config.topics,
                self.config.brokers
            );
        }
    }
}

/// What to read of a topic: each partition from where the last commit ended.
async fn ranges_of(topic: &Topic, committed: &dyn Committed, options: ReadOptions) -> Result<Vec<Range>, SourceError> {
    let mut ranges = vec![];
    for (index, (partition, offsets)) in topic.partitions.iter().enumerate() {
        let place = place(&topic.name, partition);
        let start = match (committed.position(&place).await?, options.from_timestamp_millis) {
            // A partition that was never read starts at its earliest available record.
            (None, None) => offsets.start,
            (None, Some(_)) => from(&topic.name, topic.from.get(index), offsets)?,
            (Some(_), Some(_)) => return Err(was_read(&topic.name, &place)),
            (Some(next), None) => read_on(&place, next, offsets, options.on_loss)?,
        };
        ranges.push(Range {
            topic: topic.name.clone(),
            partition: *partition,
            start,
            end: offsets.end,
        });
    }
    Ok(ranges)
}

fn from(topic: &str, from: Option<&TimeOffset>, offsets: &Offsets<i64>) -> Result<i64, SourceError> {
    match from {
        Some(TimeOffset::At(offset)) => Ok((*offset).clamp(offsets.start, offsets.end)),
        Some(TimeOffset::AfterAll) => Ok(offsets.end),
        Some(TimeOffset::Unknown) | None if offsets.is_empty() => Ok(offsets.end),
        Some(TimeOffset::Unknown) | None => Err(SourceError::FromTimestamp {
            what: format!("topic `{topic}`"),
            reason: "the broker cannot look up offsets by time".to_owned(),
            help: "leave --from-timestamp out, and filter by `timestamp` in the SQL".to_owned(),
        }),
    }
}

fn was_read(topic: &str, place: &str) -> SourceError {
    SourceError::FromTimestamp {
        what: format!("topic `{topic}`"),
        reason: format!("{place} has already been read, and its records are in the table"),
        help: "to replace the table with the records from then on: clickrec run --from-timestamp TIME --full-refresh \
               --select STEP+; to continue where the last run ended, leave --from-timestamp out"
            .to_owned(),
    }
}

#[async_trait]
impl Source for KafkaSource {
    async fn pending(&self, committed: &dyn Committed, options: ReadOptions) -> Result<Pending, SourceError> {
        let Pinned {
            scan,
            next,
            keep,
            records,
            lag,
        } = self.pin(committed, options).await?;
        Ok(Pending {
            keep,
            provider: Arc::new(scan),
            next,
            records,
            lag,
            not_taken: None,
            unproven: Unproven::default(),
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
            what: self.config.named(),
            reason: error.message().into_owned(),
            help: "try again".to_owned(),
        })
    }
}

/// Cuts the ranges to about `most` records in total, keeping the same fraction of each partition, so that none falls
/// behind.
fn shorten(ranges: &mut [Range], most: u64) {
    let all: u64 = ranges.iter().map(Range::len).sum();
    if all <= most {
        return;
    }
    for range in ranges {
        let share = u128::from(range.len()) * u128::from(most) / u128::from(all);
        // At least one, so that every batch makes progress.
        let taken = i64::try_from(share).unwrap_or(i64::MAX).max(1);
        range.end = range.end.min(range.start.saturating_add(taken));
    }
}
