//! What the brokers say of a topic: its partitions, its identity, and whether it exists at all; and which topics match
//! a pattern.

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::{Metadata, MetadataTopic};

use super::client::{ANSWER, Context, refused, with_retries};
use super::native::topic_id;
use super::{KafkaConfig, TopicPattern};
use crate::sources::SourceError;

/// Fetches a topic's metadata, or those of all topics that the user may see.
pub(super) fn metadata(
    config: &KafkaConfig,
    client: &BaseConsumer<Context>,
    topic: Option<&str>,
) -> Result<Metadata, SourceError> {
    with_retries(config, client, ANSWER, |timeout| client.fetch_metadata(topic, timeout))
}

/// Kafka's identity of a topic, if the brokers report it.
pub(super) fn identity(client: &BaseConsumer<Context>, metadata: &Metadata, topic: &str) -> Option<i64> {
    let broker = metadata.brokers().first()?;
    topic_id(client.client(), broker.id(), topic, ANSWER)
}

/// The numbers of a topic's partitions.
///
/// # Errors
/// When the brokers do not know it, or do not say what they know.
pub(super) fn numbers(config: &KafkaConfig, metadata: &Metadata, topic: &str) -> Result<Vec<i32>, SourceError> {
    let config = config.of_topic(topic);
    let missing = |reason: &str| SourceError::Missing {
        what: config.named(),
        reason: reason.to_owned(),
        help: "create it, or check `topic` of the source".to_owned(),
    };
    let unknown = || missing("the brokers do not know it");
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    let found = found.ok_or_else(unknown)?;
    match error(found) {
        Some(code) if is_unknown(code) => Err(unknown()),
        Some(code) => Err(unreadable(&config, code)),
        None if found.partitions().is_empty() => Err(missing("it has no partitions")),
        None => Ok(sorted(found)),
    }
}

/// The topics that match a pattern, with the numbers of their partitions; none for a topic that is just being created.
///
/// # Errors
/// When the brokers do not say what they know of one of them.
pub(super) fn matching(
    config: &KafkaConfig,
    metadata: &Metadata,
    pattern: &TopicPattern,
) -> Result<Vec<(String, Vec<i32>)>, SourceError> {
    let mut matching = vec![];
    for found in metadata.topics().iter().filter(|found| pattern.matches(found.name())) {
        let numbers = match error(found) {
            // Deleted a moment ago.
            Some(code) if is_unknown(code) => continue,
            Some(RDKafkaErrorCode::LeaderNotAvailable) => vec![],
            Some(code) => return Err(unreadable(&config.of_topic(found.name()), code)),
            None => sorted(found),
        };
        matching.push((found.name().to_owned(), numbers));
    }
    matching.sort_unstable();
    Ok(matching)
}

fn error(topic: &MetadataTopic) -> Option<RDKafkaErrorCode> {
    topic.error().map(RDKafkaErrorCode::from)
}

fn is_unknown(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic
    )
}

fn unreadable(config: &KafkaConfig, code: RDKafkaErrorCode) -> SourceError {
    refused(config, Some(&KafkaError::MetadataFetch(code)), &code.to_string())
}

fn sorted(topic: &MetadataTopic) -> Vec<i32> {
    let mut numbers: Vec<i32> = topic.partitions().iter().map(|partition| partition.id()).collect();
    numbers.sort_unstable();
    numbers
}
