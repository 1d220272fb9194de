use std::ops::Range as Offsets;
use std::sync::Arc;

use async_trait::async_trait;
use rdkafka::consumer::{BaseConsumer, Consumer};

use super::client::{ANSWER, Context, consumer, failed};
use super::scan::{KafkaScan, Range};
use crate::config::KafkaConfig;
use crate::source::{Committed, FromTheStart, OnLoss, Pending, ReadOptions, Source, SourceError};

/// A topic. Places are `topic/partition`, positions the next offset.
#[derive(Debug, Clone)]
pub struct KafkaSource {
    config: Arc<KafkaConfig>,
}

impl KafkaSource {
    /// Connects only when it is asked something.
    pub fn new(config: KafkaConfig) -> Self {
        Self {
            config: Arc::new(config),
        }
    }

    /// What each partition holds now: its number and the offsets from the first to the one after the last.
    async fn watermarks(&self) -> Result<Vec<(i32, Offsets<i64>)>, SourceError> {
        let config = self.config.clone();
        let asked = tokio::task::spawn_blocking(move || watermarks(&config)).await;
        asked.map_err(|stopped| SourceError::Unreachable {
            what: format!("Kafka at {}", self.config.brokers),
            reason: stopped.to_string(),
            help: "try again".to_owned(),
        })?
    }

    /// The whole topic, as it is now.
    ///
    /// # Errors
    /// As [`Source::pending`].
    pub async fn everything(&self) -> Result<KafkaScan, SourceError> {
        self.ranges(&FromTheStart, OnLoss::Refuse)
            .await
            .map(|ranges| KafkaScan::new(self.config.clone(), ranges))
    }

    async fn ranges(&self, committed: &dyn Committed, on_loss: OnLoss) -> Result<Vec<Range>, SourceError> {
        let mut ranges = vec![];
        for (partition, offsets) in self.watermarks().await? {
            let place = self.place(partition);
            let start = match committed.position(&place).await? {
                // A partition that was never read starts with what it still has.
                None => offsets.start,
                Some(next) if offsets.start <= next && next <= offsets.end => next,
                Some(next) => {
                    let lost = lost(place, next, &offsets);
                    if on_loss == OnLoss::Refuse {
                        return Err(lost);
                    }
                    tracing::warn!("{lost}; going on from offset {}", offsets.start);
                    offsets.start
                }
            };
            ranges.push(Range {
                partition,
                start,
                end: offsets.end,
            });
        }
        Ok(ranges)
    }

    fn place(&self, partition: i32) -> String {
        format!("{}/{partition}", self.config.topic)
    }
}

fn lost(place: String, committed: i64, offsets: &Offsets<i64>) -> SourceError {
    let reason = if committed < offsets.start {
        format!("{} records expired before they were read", offsets.start - committed)
    } else {
        "the topic was deleted and made anew, or cut".to_owned()
    };
    SourceError::PositionLost {
        place,
        committed,
        available: format!("offsets {} to {}", offsets.start, offsets.end),
        reason,
        help: "to go on with what the topic has now, and keep what the table has: clickrec run --accept-loss"
            .to_owned(),
    }
}

#[async_trait]
impl Source for KafkaSource {
    async fn pending(&self, committed: &dyn Committed, options: ReadOptions) -> Result<Pending, SourceError> {
        let mut ranges = self.ranges(committed, options.on_loss).await?;
        let waits = |range: &Range| (self.place(range.partition), range.end.abs_diff(range.start));
        let lag = ranges.iter().map(waits).collect();
        if let Some(most) = options.records_max {
            shorten(&mut ranges, most);
        }
        let next = ranges
            .iter()
            .map(|range| (self.place(range.partition), range.end))
            .collect();
        let records = ranges.iter().map(|range| range.end.abs_diff(range.start)).sum();
        let provider = Arc::new(KafkaScan::new(self.config.clone(), ranges));
        Ok(Pending {
            provider,
            next,
            records,
            lag,
        })
    }
}

/// Leaves about `most` records in all, of each partition the same share, so that none falls behind the others.
fn shorten(ranges: &mut [Range], most: u64) {
    let waiting = |range: &Range| range.end.abs_diff(range.start);
    let all: u64 = ranges.iter().map(waiting).sum();
    if all <= most {
        return;
    }
    for range in ranges {
        let share = u128::from(waiting(range)) * u128::from(most) / u128::from(all);
        // At least one, so that every batch gets on.
        let taken = i64::try_from(share).unwrap_or(i64::MAX).max(1);
        range.end = range.end.min(range.start.saturating_add(taken));
    }
}

fn watermarks(config: &KafkaConfig) -> Result<Vec<(i32, Offsets<i64>)>, SourceError> {
    let client: BaseConsumer<Context> = consumer(config)?;
    let failed = |error| failed(config, &client, &error);
    let metadata = client.fetch_metadata(Some(&config.topic), ANSWER).map_err(failed)?;
    let topic = metadata.topics().iter().find(|topic| topic.name() == config.topic);
    let missing = |reason: String| SourceError::Missing {
        what: format!("topic `{}` at {}", config.topic, config.brokers),
        reason,
        help: "create it, or check `topic` of the source".to_owned(),
    };
    let topic = topic.ok_or_else(|| missing("the brokers do not know it".to_owned()))?;
    if let Some(error) = topic.error() {
        return Err(missing(format!("{:?}", rdkafka::error::RDKafkaErrorCode::from(error))));
    }
    let mut found = vec![];
    for partition in topic.partitions() {
        let (low, high) = client
            .fetch_watermarks(&config.topic, partition.id(), ANSWER)
            .map_err(failed)?;
        found.push((partition.id(), low..high));
    }
    if found.is_empty() {
        return Err(missing("it has no partitions".to_owned()));
    }
    found.sort_by_key(|(partition, _)| *partition);
    Ok(found)
}
