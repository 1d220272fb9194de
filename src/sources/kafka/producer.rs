//! Sends records to a topic, and waits until the brokers have them: for `produce` and `insert into`. Why a record is
//! refused or not delivered (too large, …) is in `undelivered`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message, OwnedHeaders, Timestamp};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};

use super::KafkaConfig;
use super::client::{ANSWER, Context, connect, refused, settings};
use super::create_topic::wait_for;
use super::undelivered::Undelivered;
use crate::plural::counted;
use crate::sources::SourceError;

/// How long delivery of the last records may take.
const FLUSH: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// Counts deliveries, and keeps the first failure.
#[derive(Debug, Default)]
struct Deliveries {
    delivered: AtomicU64,
    failed: AtomicU64,
    /// Records whose timestamp was replaced by the broker.
    restamped: AtomicU64,
    first_failure: Mutex<Option<Undelivered>>,
    /// What librdkafka reports of its connections.
    reports: Context,
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.reports.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.reports.error(error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(message) => {
                self.delivered.fetch_add(1, Ordering::Relaxed);
                if matches!(message.timestamp(), Timestamp::LogAppendTime(_)) {
                    self.restamped.fetch_add(1, Ordering::Relaxed);
                }
            }
            Err((error, message)) => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                let mut first = self.first_failure.lock().unwrap_or_else(PoisonError::into_inner);
                first.get_or_insert_with(|| Undelivered {
                    error: error.clone(),
                    bytes: message.key_len() + message.payload_len(),
                });
            }
        }
    }
}

/// A record to be sent; Kafka chooses what is `None`.
#[derive(Debug, Default)]
pub struct ProducerRecord<'a> {
    /// Records with the same key go to the same partition.
    pub key: Option<&'a [u8]>,
    /// `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Milliseconds since 1970, above 0; the current time if `None`.
    pub timestamp_millis: Option<i64>,
    /// If `None`, chosen by the key, or arbitrarily.
    pub partition: Option<i32>,
    /// In order; names may repeat.
    pub headers: Option<OwnedHeaders>,
}

/// Sends records to a topic, compressed and in large batches, each exactly once (idempotent, `acks=all`).
pub struct Producer {
    /// Its only topic is the one below.
    config: KafkaConfig,
    topic: String,
    client: Arc<BaseProducer<Deliveries>>,
    /// How many partitions the topic has.
    partitions: i32,
    sent: u64,
    /// The number of sent records with a timestamp.
    timed: u64,
}

impl std::fmt::Debug for Producer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Producer")
            .field("topic", &self.topic)
            .field("sent", &self.sent)
            .finish_non_exhaustive()
    }
}

impl Producer {
    /// Connects to the one topic of a source, and makes sure that it exists. Brokers may create it automatically.
    ///
    /// # Errors
    /// When the source has several topics, no broker answers within ten seconds, or the topic is missing and does not
    /// appear.
    pub fn connect(config: &KafkaConfig) -> Result<Self, SourceError> {
        Self::to(config.only_topic()?, config)
    }

    /// The same to one of the topics of a source.
    ///
    /// # Errors
    /// When no broker answers within ten seconds, or the topic is missing and does not appear.
    pub fn to(topic: &str, config: &KafkaConfig) -> Result<Self, SourceError> {
        let config = &config.of_topic(topic);
        let mut settings = settings(config);
        settings.set("enable.idempotence", "true").set("acks", "all");
        let defaults = [
            ("compression.type", "zstd"),
            ("linger.ms", "50"),
            ("batch.size", "900000"),
            ("queue.buffering.max.messages", "200000"),
            ("queue.buffering.max.kbytes", "65536"),
        ];
        for (key, value) in defaults {
            if !config.options.contains_key(key) {
                settings.set(key, value);
            }
        }
        let client = connect(config, &settings, Deliveries::default())?;
        let mut producer = Self {
            config: config.clone(),
            topic: topic.to_owned(),
            client,
            partitions: 0,
            sent: 0,
            timed: 0,
        };
        producer.partitions = wait_for(config, topic, || {
            let answer = producer.client.client().fetch_metadata(Some(topic), ANSWER);
            answer.map_err(|error| refused(config, Some(&error), &producer.cause(&error)))
        })?;
        Ok(producer)
    }

    /// How many partitions the topic had when the producer connected.
    pub fn partitions(&self) -> i32 {
        self.partitions
    }

    /// Sends a key and a value, or a tombstone if `value` is `None`; blocks while the queue is full.
    ///
    /// # Errors
    /// As [`Producer::send_record`].
    pub fn send(&mut self, key: Option<&[u8]>, value: Option<&[u8]>) -> Result<(), SourceError> {
        self.send_record(ProducerRecord {
            key,
            value,
            ..ProducerRecord::default()
        })
    }

    /// Sends a record; blocks while the queue is full.
    ///
    /// # Errors
    /// When the record is refused (too large), or an earlier one was not delivered.
    pub fn send_record(&mut self, record: ProducerRecord<'_>) -> Result<(), SourceError> {
        self.timed += u64::from(record.timestamp_millis.is_some());
        let bytes: usize = [record.key, record.value].into_iter().flatten().map(<[u8]>::len).sum();
        let mut record = BaseRecord::<[u8], [u8]> {
            topic: &self.topic,
            partition: record.partition,
            payload: record.value,
            key: record.key,
            timestamp: record.timestamp_millis,
            headers: record.headers,
            delivery_opaque: (),
        };
        while let Err((error, refused)) = self.client.send(record) {
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                let cause = self.cause(&error);
                return Err(Undelivered { error, bytes }.not_queued(&self.config, &cause));
            }
            self.client.poll(POLL);
            record = refused;
        }
        self.sent += 1;
        if self.sent.is_multiple_of(1_000) {
            self.client.poll(Duration::ZERO);
            self.check()?;
        }
        Ok(())
    }

    /// Waits until every record has been delivered, and returns how many.
    ///
    /// # Errors
    /// When a record was not delivered.
    pub fn flush(self) -> Result<u64, SourceError> {
        let flushed = self.client.flush(FLUSH);
        // A record that the brokers refused says more than those that still wait.
        self.check()?;
        if let Err(error) = flushed {
            let waiting = self.client.in_flight_count().unsigned_abs().into();
            let waiting = counted(waiting, "record was", "records were");
            let reason = format!(
                "{waiting} not confirmed within {} s: {}",
                FLUSH.as_secs(),
                self.cause(&error)
            );
            return Err(refused(&self.config, Some(&error), &reason));
        }
        let deliveries = self.client.context();
        let restamped = deliveries.restamped.load(Ordering::Relaxed);
        if restamped > 0 && self.timed > 0 {
            tracing::warn!(
                "topic `{}` sets its own timestamps (message.timestamp.type is LogAppendTime), and replaced those \
                 of {}",
                self.topic,
                counted(self.timed.min(restamped), "record", "records")
            );
        }
        Ok(deliveries.delivered.load(Ordering::Relaxed))
    }

    /// Waits for the records that were sent before another error occurred; returns how many were delivered.
    pub(super) fn settle(self) -> u64 {
        // Only the earlier error matters now.
        _ = self.client.flush(FLUSH);
        self.client.context().delivered.load(Ordering::Relaxed)
    }

    fn check(&self) -> Result<(), SourceError> {
        let deliveries = self.client.context();
        // A copy: more failures may arrive in `cause`, and they need the lock.
        let first = deliveries
            .first_failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let Some(first) = first else { return Ok(()) };
        let failed = deliveries.failed.load(Ordering::Relaxed);
        let records = format!(
            "{failed} of {} could not be delivered",
            counted(self.sent, "record", "records")
        );
        Err(first.not_delivered(&self.config, &records, &self.cause(&first.error)))
    }

    /// What librdkafka last reported of its connections; the error itself if it has reported nothing.
    fn cause(&self, error: &KafkaError) -> String {
        self.client.poll(Duration::ZERO);
        let reported = self.client.context().reports.last_error();
        reported.unwrap_or_else(|| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::types::RDKafkaRespErr;

    use super::*;
    use crate::settings::Secret;
    use crate::sources::kafka::EmbeddedBroker;

    #[test]
    fn a_record_that_is_too_large_is_refused_by_its_size() {
        let broker = EmbeddedBroker::start("t", 1).unwrap();
        let mut config = broker.config("t");
        let limit = ("message.max.bytes".to_owned(), Secret::new("10000"));
        config.options.extend([limit]);
        let mut producer = Producer::connect(&config).unwrap();
        producer.send(None, Some(b"small")).unwrap();
        let error = producer.send(Some(b"key"), Some(&[b'x'; 20_000])).unwrap_err();
        let error = error.to_string();
        assert!(error.starts_with("cannot send to topic `t` at "), "{error}");
        assert!(
            error.contains("20,003 bytes") && error.contains("`message.max.bytes`"),
            "{error}"
        );
        assert_eq!(producer.settle(), 1, "the record before it");
    }

    #[test]
    fn a_batch_that_the_brokers_refuse_is_told_with_their_reason() {
        let broker = EmbeddedBroker::start("t", 1).unwrap();
        let mut producer = Producer::connect(&broker.config("t")).unwrap();
        broker.refuse_next(RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
        producer.send(None, Some(b"value")).unwrap();
        let error = producer.flush().unwrap_err().to_string();
        assert!(error.contains("1 of 1 record could not be delivered"), "{error}");
        assert!(
            error.contains("5 bytes") && error.contains("`max.message.bytes`"),
            "{error}"
        );
    }
}
