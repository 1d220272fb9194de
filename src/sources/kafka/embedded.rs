//! A Kafka broker inside this process, for the demo and the tests: librdkafka's mock cluster.

use rdkafka::error::KafkaError;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
#[cfg(test)]
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::{KafkaConfig, Security, Topics};
use crate::sources::SourceError;

/// A Kafka broker inside this process: librdkafka's mock cluster, which speaks the wire protocol on a loopback port. It
/// stops when the value is dropped.
///
/// It keeps at most 5 MiB or 100,000 batches per partition and silently drops older ones. It supports neither
/// timestamps nor retention nor authentication: it is for demonstrations and tests.
pub struct EmbeddedBroker {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl std::fmt::Debug for EmbeddedBroker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmbeddedBroker")
            .field("brokers", &self.brokers())
            .finish()
    }
}

impl EmbeddedBroker {
    /// Starts a broker with one topic.
    ///
    /// # Errors
    /// When it cannot bind a port or create the topic.
    pub fn start(topic: &str, partitions: i32) -> Result<Self, SourceError> {
        let cluster = MockCluster::new(1).map_err(failed)?;
        let broker = Self { cluster };
        broker.create_topic(topic, partitions)?;
        Ok(broker)
    }

    /// Creates another topic.
    ///
    /// # Errors
    /// When there is a topic of that name, or the name is malformed.
    pub fn create_topic(&self, topic: &str, partitions: i32) -> Result<(), SourceError> {
        self.cluster.create_topic(topic, partitions, 1).map_err(failed)
    }

    /// `host:port`.
    pub fn brokers(&self) -> String {
        self.cluster.bootstrap_servers()
    }

    /// Refuses the records of the next request with this error.
    #[cfg(test)]
    pub(super) fn refuse_next(&self, error: RDKafkaRespErr) {
        self.cluster.request_errors(RDKafkaApiKey::Produce, &[error]);
    }

    /// The configuration for one of its topics.
    pub fn config(&self, topic: &str) -> KafkaConfig {
        KafkaConfig {
            brokers: self.brokers(),
            topics: Topics::one(topic),
            security: Security::default(),
            options: Default::default(),
            schemas: None,
        }
    }
}

fn failed(error: KafkaError) -> SourceError {
    SourceError::Unreachable {
        what: "the embedded Kafka broker".to_owned(),
        reason: error.to_string(),
        help: "allow this process to listen on 127.0.0.1".to_owned(),
    }
}
