//! Creates a topic (`produce --create-topic`), or waits until the brokers have done so by themselves.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::executor::block_on;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::metadata::Metadata;

use super::KafkaConfig;
use super::client::{ANSWER, Context, connect, refused, settings};
use crate::sources::SourceError;

/// How long brokers that create topics automatically may take.
const APPEARS: Duration = Duration::from_secs(5);
/// The pause between two requests.
const ASK_AGAIN: Duration = Duration::from_millis(100);
/// The brokers' default replication.
const DEFAULT_REPLICATION: TopicReplication<'static> = TopicReplication::Fixed(-1);

/// The result of creating a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It was created.
    New,
    /// It already existed, and was left unchanged.
    Existing,
}

/// Creates the one topic of a source with this number of partitions, unless it exists.
///
/// # Errors
/// When the source has several topics, no broker answers, or they refuse the request.
pub fn create_topic(config: &KafkaConfig, partitions: i32) -> Result<Created, SourceError> {
    let topic = config.only_topic()?;
    let client: Arc<AdminClient<Context>> = connect(config, &settings(config), Context::default())?;
    let topic = NewTopic::new(topic, partitions, DEFAULT_REPLICATION);
    let options = AdminOptions::new()
        .request_timeout(Some(ANSWER))
        .operation_timeout(Some(ANSWER));
    let answer = block_on(client.create_topics([&topic], &options)).map_err(|error| {
        let said = client.inner().context().last_error();
        refused(config, Some(&error), &said.unwrap_or_else(|| error.to_string()))
    })?;
    match answer.into_iter().next() {
        Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => Ok(Created::Existing),
        Some(Err((_, code))) => Err(not_created(config, code)),
        _ => Ok(Created::New),
    }
}

fn not_created(config: &KafkaConfig, code: RDKafkaErrorCode) -> SourceError {
    use RDKafkaErrorCode::{
        ClusterAuthorizationFailed, InvalidPartitions, InvalidReplicationFactor, InvalidTopic, PolicyViolation,
        TopicAuthorizationFailed,
    };
    let help = match code {
        TopicAuthorizationFailed | ClusterAuthorizationFailed => {
            "grant the user CREATE on the topic or the cluster (by an ACL or a role), or have an administrator create it"
        }
        InvalidPartitions | InvalidReplicationFactor | PolicyViolation => {
            "choose another number of partitions, or create the topic with Kafka's own tools, which have more settings"
        }
        InvalidTopic => "choose another `topic`: at most 249 characters, only letters, digits, `.`, `_` and `-`",
        _ => "check the brokers, or create the topic with Kafka's own tools",
    };
    SourceError::NotCreated {
        what: config.named(),
        reason: code.to_string(),
        help: help.to_owned(),
    }
}

/// The number of partitions of a topic, from the brokers' metadata; `None` if they do not know it.
///
/// # Errors
/// When the metadata of the topic is an error.
fn partitions(topic: &str, metadata: &Metadata) -> Result<Option<i32>, RDKafkaErrorCode> {
    use RDKafkaErrorCode::{LeaderNotAvailable, UnknownTopic, UnknownTopicOrPartition};
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    let Some(topic) = found else { return Ok(None) };
    match topic.error().map(RDKafkaErrorCode::from) {
        // The last one means that the topic is being created.
        Some(UnknownTopicOrPartition | UnknownTopic | LeaderNotAvailable) => Ok(None),
        Some(code) => Err(code),
        None => {
            let number = i32::try_from(topic.partitions().len()).ok();
            Ok(number.filter(|number| *number > 0))
        }
    }
}

/// Polls until the topic has partitions, and returns how many. Brokers that create topics automatically do so when a
/// producer requests one.
///
/// # Errors
/// When the topic does not appear, the user may not write to it, or the request fails.
pub(super) fn wait_for(
    config: &KafkaConfig,
    topic: &str,
    ask: impl Fn() -> Result<Metadata, SourceError>,
) -> Result<i32, SourceError> {
    let started = Instant::now();
    loop {
        match partitions(topic, &ask()?) {
            Ok(Some(number)) => return Ok(number),
            Ok(None) if started.elapsed() < APPEARS => std::thread::sleep(ASK_AGAIN),
            Ok(None) => return Err(missing(config)),
            Err(code) => return Err(not_writable(config, code)),
        }
    }
}

fn missing(config: &KafkaConfig) -> SourceError {
    SourceError::Missing {
        what: config.named(),
        reason: "it does not exist, and the brokers do not create topics automatically".to_owned(),
        help: "create it with Kafka's own tools or with `clickrec produce --create-topic PARTITIONS`; or check \
               `topic` of the source"
            .to_owned(),
    }
}

fn not_writable(config: &KafkaConfig, code: RDKafkaErrorCode) -> SourceError {
    let help = match code {
        RDKafkaErrorCode::TopicAuthorizationFailed => "grant the user WRITE on the topic (by an ACL or a role)",
        _ => "check `topic` of the source, and the brokers",
    };
    SourceError::NotSent {
        what: config.named(),
        reason: code.to_string(),
        help: help.to_owned(),
    }
}
