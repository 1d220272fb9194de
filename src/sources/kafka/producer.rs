//! Sends records to a topic, and waits until the brokers have them: for `produce` and `insert into`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message, OwnedHeaders, Timestamp};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};

use super::KafkaConfig;
use super::client::{ANSWER, settings, unusable};
use super::create_topic::wait_for;
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
    first_failure: Mutex<Option<String>>,
}

#[derive(Debug, Clone, Default)]
struct Context(Arc<Deliveries>);

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(?level, facility, message, "librdkafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "librdkafka");
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(message) => {
                self.0.delivered.fetch_add(1, Ordering::Relaxed);
                if matches!(message.timestamp(), Timestamp::LogAppendTime(_)) {
                    self.0.restamped.fetch_add(1, Ordering::Relaxed);
                }
            }
            Err((error, _)) => {
                self.0.failed.fetch_add(1, Ordering::Relaxed);
                let mut first = self.0.first_failure.lock().unwrap_or_else(PoisonError::into_inner);
                first.get_or_insert_with(|| error.to_string());
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
    config: KafkaConfig,
    client: BaseProducer<Context>,
    deliveries: Arc<Deliveries>,
    /// How many partitions the topic has.
    partitions: i32,
    sent: u64,
    /// The number of sent records with a timestamp.
    timed: u64,
}

impl std::fmt::Debug for Producer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Producer")
            .field("topic", &self.config.topic)
            .field("sent", &self.sent)
            .finish_non_exhaustive()
    }
}

impl Producer {
    /// Connects, and makes sure that the topic exists. Brokers may create it automatically.
    ///
    /// # Errors
    /// When no broker answers within ten seconds, or the topic is missing and does not appear.
    pub fn connect(config: &KafkaConfig) -> Result<Self, SourceError> {
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
        let context = Context::default();
        let deliveries = context.0.clone();
        let client: BaseProducer<Context> = settings
            .create_with_context(context)
            .map_err(|error| unusable(config, &error))?;
        let mut producer = Self {
            config: config.clone(),
            client,
            deliveries,
            partitions: 0,
            sent: 0,
            timed: 0,
        };
        producer.partitions = wait_for(config, || {
            let answer = producer.client.client().fetch_metadata(Some(&config.topic), ANSWER);
            answer.map_err(|error| producer.failed(error.to_string()))
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
    /// When the record cannot be queued (too large), or an earlier one was not delivered.
    pub fn send_record(&mut self, record: ProducerRecord<'_>) -> Result<(), SourceError> {
        self.timed += u64::from(record.timestamp_millis.is_some());
        let mut record = BaseRecord::<[u8], [u8]> {
            topic: &self.config.topic,
            partition: record.partition,
            payload: record.value,
            key: record.key,
            timestamp: record.timestamp_millis,
            headers: record.headers,
            delivery_opaque: (),
        };
        while let Err((error, refused)) = self.client.send(record) {
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                return Err(self.failed(error.to_string()));
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
        self.client
            .flush(FLUSH)
            .map_err(|error| self.failed(error.to_string()))?;
        self.check()?;
        let restamped = self.deliveries.restamped.load(Ordering::Relaxed);
        if restamped > 0 && self.timed > 0 {
            tracing::warn!(
                "topic `{}` sets its own timestamps (message.timestamp.type is LogAppendTime), and replaced those \
                 of {}",
                self.config.topic,
                counted(self.timed.min(restamped), "record", "records")
            );
        }
        Ok(self.deliveries.delivered.load(Ordering::Relaxed))
    }

    /// Waits for the records that were sent before another error occurred; returns how many were delivered.
    pub(super) fn settle(self) -> u64 {
        // Only the earlier error matters now.
        _ = self.client.flush(FLUSH);
        self.deliveries.delivered.load(Ordering::Relaxed)
    }

    fn check(&self) -> Result<(), SourceError> {
        let failed = self.deliveries.failed.load(Ordering::Relaxed);
        if failed == 0 {
            return Ok(());
        }
        let first = self
            .deliveries
            .first_failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        Err(self.failed(format!(
            "{failed} of {} records could not be delivered: {}",
            self.sent,
            first.unwrap_or_default()
        )))
    }

    fn failed(&self, reason: String) -> SourceError {
        SourceError::Unreachable {
            what: format!("topic `{}` at {}", self.config.topic, self.config.brokers),
            reason,
            help: "check that a broker listens there and accepts writes (the embedded broker exists only in \
                   `clickrec demo` and the tests), or use --to FILE, which needs no broker"
                .to_owned(),
        }
    }
}
