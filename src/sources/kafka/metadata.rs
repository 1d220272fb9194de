//! What the brokers say of a topic: its partitions, its identity, and whether it exists at all.

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;

use super::KafkaConfig;
use super::client::{ANSWER, Context, refused, with_retries};
use super::native::topic_id;
use crate::sources::SourceError;

/// Fetches the topic's metadata.
pub(super) fn metadata(config: &KafkaConfig, client: &BaseConsumer<Context>) -> Result<Metadata, SourceError> {
    with_retries(config, client, ANSWER, |timeout| {
        client.fetch_metadata(Some(&config.topic), timeout)
    })
}

/// Kafka's identity of the topic, if the brokers report it.
pub(super) fn identity(config: &KafkaConfig, client: &BaseConsumer<Context>, metadata: &Metadata) -> Option<i64> {
    let broker = metadata.brokers().first()?;
    topic_id(client.client(), broker.id(), &config.topic, ANSWER)
}

/// The numbers of a topic's partitions.
pub(super) fn numbers(config: &KafkaConfig, metadata: &Metadata) -> Result<Vec<i32>, SourceError> {
    let topic = metadata.topics().iter().find(|topic| topic.name() == config.topic);
    let missing = |reason: String| SourceError::Missing {
        what: config.named(),
        reason,
        help: "create it, or check `topic` of the source".to_owned(),
    };
    let topic = topic.ok_or_else(|| missing("the brokers do not know it".to_owned()))?;
    if let Some(error) = topic.error() {
        let code = RDKafkaErrorCode::from(error);
        return Err(match code {
            RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic => {
                missing("the brokers do not know it".to_owned())
            }
            _ => refused(config, Some(&KafkaError::MetadataFetch(code)), &code.to_string()),
        });
    }
    let mut numbers: Vec<i32> = topic.partitions().iter().map(|partition| partition.id()).collect();
    numbers.sort_unstable();
    if numbers.is_empty() {
        return Err(missing("it has no partitions".to_owned()));
    }
    Ok(numbers)
}
