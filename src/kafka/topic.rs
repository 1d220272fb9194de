//! Topics: whether one is there, and making it.

use std::time::{Duration, Instant};

use futures::executor::block_on;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::metadata::Metadata;

use super::client::{ANSWER, Context, refused, settings, unusable};
use crate::config::KafkaConfig;
use crate::source::SourceError;

/// How long a topic may take to appear that the brokers make.
const APPEARS: Duration = Duration::from_secs(5);
/// How long to wait before they are asked again.
const ASK_AGAIN: Duration = Duration::from_millis(100);
/// As many copies of each partition as the brokers make by default.
const DEFAULT_REPLICATION: TopicReplication<'static> = TopicReplication::Fixed(-1);

/// What was done to have a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It was made.
    New,
    /// It was there already, and stays as it is.
    Existing,
}

/// Makes the topic of a source, with so many partitions, unless it is there.
///
/// # Errors
/// When no broker answers, or they refuse.
pub fn create_topic(config: &KafkaConfig, partitions: i32) -> Result<Created, SourceError> {
    let client: AdminClient<Context> = settings(config)
        .create_with_context(Context::default())
        .map_err(|error| unusable(config, &error))?;
    let topic = NewTopic::new(&config.topic, partitions, DEFAULT_REPLICATION);
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
            "give the user CREATE of the topic or the cluster (an ACL, or a role that has it), or have somebody else create it"
        }
        InvalidPartitions | InvalidReplicationFactor | PolicyViolation => {
            "choose another number of partitions, or create it with Kafka's own tools, which take more settings"
        }
        InvalidTopic => "choose another `topic`: letters, digits, `.`, `_` and `-`, 249 at most",
        _ => "check the brokers, or create it with Kafka's own tools",
    };
    SourceError::NotCreated {
        what: named(config),
        reason: code.to_string(),
        help: help.to_owned(),
    }
}

/// How a topic is called in errors.
fn named(config: &KafkaConfig) -> String {
    format!("topic `{}` at {}", config.topic, config.brokers)
}

/// How many partitions a topic has, of what the brokers say; none where they do not know it.
///
/// # Errors
/// When they do not tell.
fn partitions(config: &KafkaConfig, metadata: &Metadata) -> Result<Option<i32>, RDKafkaErrorCode> {
    use RDKafkaErrorCode::{LeaderNotAvailable, UnknownTopic, UnknownTopicOrPartition};
    let topic = metadata.topics().iter().find(|topic| topic.name() == config.topic);
    let Some(topic) = topic else { return Ok(None) };
    match topic.error().map(RDKafkaErrorCode::from) {
        // The last one is of a topic that is being made.
        Some(UnknownTopicOrPartition | UnknownTopic | LeaderNotAvailable) => Ok(None),
        Some(code) => Err(code),
        None => {
            let number = i32::try_from(topic.partitions().len()).ok();
            Ok(number.filter(|number| *number > 0))
        }
    }
}

/// Asks until the topic has partitions, and says how many: brokers that make topics by themselves do so when a producer
/// asks for one.
///
/// # Errors
/// When it does not appear, or the user may not write to it, or the question fails.
pub(super) fn wait_for(
    config: &KafkaConfig,
    ask: impl Fn() -> Result<Metadata, SourceError>,
) -> Result<i32, SourceError> {
    let started = Instant::now();
    loop {
        match partitions(config, &ask()?) {
            Ok(Some(number)) => return Ok(number),
            Ok(None) if started.elapsed() < APPEARS => std::thread::sleep(ASK_AGAIN),
            Ok(None) => return Err(missing(config)),
            Err(code) => return Err(not_writable(config, code)),
        }
    }
}

fn missing(config: &KafkaConfig) -> SourceError {
    SourceError::Missing {
        what: named(config),
        reason: "the brokers do not know it, and create none by themselves".to_owned(),
        help: "create it, with Kafka's own tools or with `clickrec produce --create-topic PARTITIONS`; or check `topic` of \
               the source"
            .to_owned(),
    }
}

fn not_writable(config: &KafkaConfig, code: RDKafkaErrorCode) -> SourceError {
    let help = match code {
        RDKafkaErrorCode::TopicAuthorizationFailed => {
            "give the user WRITE of the topic (an ACL, or a role that has it)"
        }
        _ => "check `topic` of the source, and the brokers",
    };
    SourceError::Unreachable {
        what: named(config),
        reason: code.to_string(),
        help: help.to_owned(),
    }
}
