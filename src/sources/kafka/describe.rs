//! The topics of a source as the brokers describe them before a run: partitions with their first and last offsets,
//! identities, and the offsets of a start time. Topics that match a pattern are looked up each time.

use std::ops::Range as Offsets;
use std::sync::Arc;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::metadata::Metadata;

use super::client::{Context, ask_leaders};
use super::metadata::{identity, matching, metadata, numbers};
use super::times::{TimeOffset, offsets_at};
use super::{KafkaConfig, Topics};
use crate::sources::SourceError;

/// A topic as the brokers describe it.
pub(super) struct Topic {
    pub name: Arc<str>,
    /// See [`identity`].
    pub id: Option<i64>,
    /// The number of each partition and its offsets, from the first to the one after the last, in order. None for a
    /// topic that is just being created.
    pub partitions: Vec<(i32, Offsets<i64>)>,
    /// The offset of the start time in each partition, in the order of the partitions.
    pub from: Vec<TimeOffset>,
}

/// Describes the topics of a source, which may be none if they have to match a pattern.
///
/// # Errors
/// When a topic that is named does not exist, or the brokers do not answer.
pub(super) fn describe(
    config: &KafkaConfig,
    client: &BaseConsumer<Context>,
    from_millis: Option<i64>,
) -> Result<Vec<Topic>, SourceError> {
    match &config.topics {
        Topics::Named(named) => {
            let topic = |name: &String| {
                let metadata = metadata(config, client, Some(name))?;
                let numbers = numbers(config, &metadata, name)?;
                describe_topic(&config.of_topic(name), client, &metadata, name, &numbers, from_millis)
            };
            named.iter().map(topic).collect()
        }
        Topics::Matching(pattern) => {
            let metadata = metadata(config, client, None)?;
            let topic = |(name, numbers): (String, Vec<i32>)| {
                describe_topic(&config.of_topic(&name), client, &metadata, &name, &numbers, from_millis)
            };
            matching(config, &metadata, pattern)?.into_iter().map(topic).collect()
        }
    }
}

fn describe_topic(
    config: &KafkaConfig,
    client: &BaseConsumer<Context>,
    metadata: &Metadata,
    name: &str,
    numbers: &[i32],
    from_millis: Option<i64>,
) -> Result<Topic, SourceError> {
    let mut partitions = vec![];
    for partition in numbers {
        let (low, high) = ask_leaders(config, client, name, |timeout| {
            client.fetch_watermarks(name, *partition, timeout)
        })?;
        partitions.push((*partition, low..high));
    }
    let mut from = vec![];
    if let Some(millis) = from_millis {
        let filled = partitions.iter().filter(|(_, offsets)| !offsets.is_empty());
        let filled: Vec<i32> = filled.map(|(partition, _)| *partition).collect();
        let found = offsets_at(config, client, name, &filled, millis)?;
        let of = |partition| found.get(partition).copied().unwrap_or(TimeOffset::Unknown);
        from = partitions.iter().map(|(partition, _)| of(partition)).collect();
    }
    Ok(Topic {
        name: name.into(),
        id: identity(client, metadata, name),
        partitions,
        from,
    })
}
