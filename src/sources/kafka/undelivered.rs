//! Why a record does not reach its topic, from librdkafka's error codes: too large, not allowed, no such topic, invalid,
//! not confirmed in time; and what to do about it.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::KafkaConfig;
use super::client::{is_passing, refused};
use crate::plural::counted;
use crate::sources::SourceError;

/// A record that did not reach its topic.
#[derive(Debug, Clone)]
pub(super) struct Undelivered {
    pub error: KafkaError,
    /// The bytes of its key and value.
    pub bytes: usize,
}

impl Undelivered {
    /// The error for a record that librdkafka refused to queue. `cause` is what it last reported of its connections.
    pub fn not_queued(&self, config: &KafkaConfig, cause: &str) -> SourceError {
        match self.error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::MessageSizeTooLarge) => not_sent(
                config,
                format!(
                    "a record is larger than the option `message.max.bytes` allows: its key and value have {}",
                    self.size()
                ),
                "raise it under `options` of the source (its default is 1000000); the topic has to allow as much \
                 (`max.message.bytes`)",
            ),
            _ => self.not_delivered(config, "a record was not sent", cause),
        }
    }

    /// The error for records of which this is the first that the brokers did not take. `records` says which, as a
    /// clause.
    pub fn not_delivered(&self, config: &KafkaConfig, records: &str, cause: &str) -> SourceError {
        use RDKafkaErrorCode::{
            ClusterAuthorizationFailed, Fatal, InvalidDifferentRecord, InvalidRecord, InvalidTimestamp,
            MessageBatchTooLarge, MessageSizeTooLarge, MessageTimedOut, TopicAuthorizationFailed, UnknownPartition,
            UnknownTopic, UnknownTopicOrPartition,
        };
        let code = self.error.rdkafka_error_code();
        if is_passing(&self.error) || code == Some(MessageTimedOut) {
            return refused(config, Some(&self.error), &format!("{records}: {cause}"));
        }
        let (reason, help) = match code {
            // Brokers know batches, not records.
            Some(MessageSizeTooLarge | MessageBatchTooLarge) => (
                format!(
                    "a batch is larger than the topic allows (the key and value of its first record have {})",
                    self.size()
                ),
                "raise `max.message.bytes` of the topic (`message.max.bytes` of the brokers); if the batch is too large, but \
                 no single record is, lower `batch.size` under `options` of the source",
            ),
            Some(TopicAuthorizationFailed | ClusterAuthorizationFailed) => (
                "this user is not allowed to write to the topic".to_owned(),
                "grant the user WRITE on the topic (by an ACL or a role); brokers older than 2.8 also require \
                 IDEMPOTENT_WRITE on the cluster",
            ),
            Some(UnknownTopic | UnknownTopicOrPartition | UnknownPartition) => (
                "the topic, or one of its partitions, no longer exists".to_owned(),
                "check `topic` of the source, and who deletes it",
            ),
            Some(InvalidRecord | InvalidDifferentRecord | InvalidTimestamp) => (
                "a record breaks a rule of the topic".to_owned(),
                "a compacted topic (`cleanup.policy`) takes no record without a key, and a topic may limit timestamps \
                 (`message.timestamp.before.max.ms`, `message.timestamp.after.max.ms`)",
            ),
            // The code alone says nothing; the reason was reported.
            Some(Fatal) => (
                cause.to_owned(),
                "check the brokers and their logs, then send the records again",
            ),
            _ => (
                self.error.to_string(),
                "check the brokers, and the settings of the topic",
            ),
        };
        not_sent(config, format!("{records}: {reason}"), help)
    }

    fn size(&self) -> String {
        counted(self.bytes as u64, "byte", "bytes")
    }
}

fn not_sent(config: &KafkaConfig, reason: String, help: &str) -> SourceError {
    SourceError::NotSent {
        what: config.named(),
        reason,
        help: help.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::error::RDKafkaErrorCode::{
        Fatal, InvalidRecord, KafkaStorageError, MessageSizeTooLarge, MessageTimedOut, TopicAuthorizationFailed,
        UnknownTopicOrPartition,
    };

    use super::*;
    use crate::sources::kafka::{Security, Topics};

    const CAUSE: &str = "Connection refused";

    fn undelivered(code: RDKafkaErrorCode) -> (KafkaConfig, Undelivered) {
        let config = KafkaConfig {
            brokers: "b:9092".to_owned(),
            topics: Topics::one("t"),
            security: Security::default(),
            options: Default::default(),
            schemas: None,
        };
        let error = KafkaError::MessageProduction(code);
        (config, Undelivered { error, bytes: 2_003 })
    }

    fn told(code: RDKafkaErrorCode) -> String {
        let (config, record) = undelivered(code);
        record
            .not_delivered(&config, "2 of 3 records could not be delivered", CAUSE)
            .to_string()
    }

    #[test]
    fn every_reason_has_its_own_way_out() {
        for (code, words) in [
            (
                MessageSizeTooLarge,
                ["have 2,003 bytes", "`max.message.bytes` of the topic"],
            ),
            (TopicAuthorizationFailed, ["not allowed to write", "WRITE on the topic"]),
            (UnknownTopicOrPartition, ["no longer exists", "check `topic`"]),
            (InvalidRecord, ["breaks a rule", "cleanup.policy"]),
            (Fatal, [CAUSE, "send the records again"]),
            (KafkaStorageError, ["KafkaStorageError", "settings of the topic"]),
        ] {
            let error = told(code);
            let begin = "cannot send to topic `t` at b:9092: 2 of 3 records could not be delivered: ";
            assert!(error.starts_with(begin), "{code:?}: {error}");
            assert!(words.iter().all(|word| error.contains(word)), "{code:?}: {error}");
        }
    }

    #[test]
    fn only_silence_means_that_no_broker_listens() {
        let error = told(MessageTimedOut);
        assert!(
            error.starts_with("cannot reach Kafka at b:9092: no answer (2 of 3"),
            "{error}"
        );
        assert!(error.contains(CAUSE), "{error}");
    }

    #[test]
    fn a_record_that_is_not_even_queued_is_too_large_for_the_option() {
        let (config, record) = undelivered(MessageSizeTooLarge);
        let error = record.not_queued(&config, CAUSE).to_string();
        assert!(
            error.contains("`message.max.bytes` allows: its key and value have 2,003 bytes"),
            "{error}"
        );
        assert!(error.contains("under `options`") && !error.contains(CAUSE), "{error}");
    }
}
