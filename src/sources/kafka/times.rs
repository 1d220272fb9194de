//! Finds the offsets of a start time (`--from-timestamp`, filters on `timestamp`), and whether a topic keeps the
//! timestamps that are sent to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::executor::block_on;
use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use super::KafkaConfig;
use super::client::{ANSWER, Context, ask_leaders, connect, settings};
use crate::sources::SourceError;

/// The offset of a time in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeOffset {
    /// The first record at or after that time.
    At(i64),
    /// All records are earlier.
    AfterAll,
    /// The broker does not support timestamps (the embedded one).
    Unknown,
}

/// Looks up the offset of a time in non-empty partitions of a topic.
pub(super) fn offsets_at(
    config: &KafkaConfig,
    client: &BaseConsumer<Context>,
    topic: &str,
    partitions: &[i32],
    millis: i64,
) -> Result<BTreeMap<i32, TimeOffset>, SourceError> {
    let mut found = lookup(config, client, topic, partitions, millis)?;
    let after_all: Vec<i32> = partitions
        .iter()
        .copied()
        .filter(|partition| !found.contains_key(partition))
        .collect();
    if after_all.is_empty() {
        return Ok(found);
    }
    // A broker without timestamps also answers "no such record", but does so even for a search from the epoch.
    let any = lookup(config, client, topic, &after_all, 0)?;
    found.extend(after_all.into_iter().map(|partition| {
        let known = any.contains_key(&partition);
        (
            partition,
            if known {
                TimeOffset::AfterAll
            } else {
                TimeOffset::Unknown
            },
        )
    }));
    Ok(found)
}

/// The partitions that have such a record.
fn lookup(
    config: &KafkaConfig,
    client: &BaseConsumer<Context>,
    topic: &str,
    partitions: &[i32],
    millis: i64,
) -> Result<BTreeMap<i32, TimeOffset>, SourceError> {
    if partitions.is_empty() {
        return Ok(BTreeMap::new());
    }
    let answer = ask_leaders(config, client, topic, |timeout| {
        let mut asked = TopicPartitionList::new();
        for partition in partitions {
            asked.add_partition_offset(topic, *partition, Offset::Offset(millis))?;
        }
        let answer = client.offsets_for_times(asked, timeout)?;
        answer.elements().iter().try_for_each(|element| element.error())?;
        Ok(answer)
    })?;
    let elements = answer.elements();
    let found = elements.iter().filter_map(|element| match element.offset() {
        Offset::Offset(offset) if offset >= 0 => Some((element.partition(), TimeOffset::At(offset))),
        _ => None,
    });
    Ok(found.collect())
}

/// Whether a topic keeps timestamps set by producers. `None` if the broker does not say: it is too old, or the user
/// lacks permission.
pub(super) fn keeps_times(config: &KafkaConfig, topic: &str) -> Option<bool> {
    let connected = connect(config, &settings(config), DefaultClientContext);
    let client: Arc<AdminClient<DefaultClientContext>> = connected.ok()?;
    let topic = [ResourceSpecifier::Topic(topic)];
    let options = AdminOptions::new().request_timeout(Some(ANSWER));
    let described = block_on(client.describe_configs(&topic, &options));
    tracing::debug!(?described, "the topic's settings");
    let topic = described.ok()?.into_iter().next()?.ok()?;
    let kind = topic.get("message.timestamp.type")?.value.as_deref()?;
    Some(kind != "LogAppendTime")
}
