//! librdkafka's settings and errors.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::config::KafkaConfig;
use crate::source::SourceError;

/// How long a broker may take to answer.
pub(super) const ANSWER: Duration = Duration::from_secs(10);
/// librdkafka asks for a group even where partitions are assigned by hand; nothing is ever committed to it.
const GROUP: &str = "clickrec";

/// Keeps what librdkafka says on its own threads, so that a time-out can tell its cause.
#[derive(Debug, Default)]
pub(super) struct Context {
    last_error: Mutex<Option<String>>,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(?level, facility, message, "librdkafka");
        // What broke a connection is told here alone; the error of the request that needed it says less.
        if facility == "FAIL" {
            self.keep(message.split_once("]: ").map_or(message, |(_thread, reason)| reason));
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "librdkafka");
        self.keep(reason);
    }
}

impl ConsumerContext for Context {}

impl Context {
    fn keep(&self, reason: &str) {
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
    }

    fn last_error(&self) -> Option<String> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What every client has in common: where the brokers are, security, the user's own settings.
pub(super) fn settings(config: &KafkaConfig) -> ClientConfig {
    let mut settings = ClientConfig::new();
    settings
        .set("bootstrap.servers", &config.brokers)
        .set("client.id", "clickrec");
    // Quick to try again, and quiet about connections that idle brokers close.
    settings
        .set("reconnect.backoff.max.ms", "1000")
        .set("log.connection.close", "false");
    for (key, value) in &config.options {
        settings.set(key, value.reveal());
    }
    let security = &config.security;
    let plain = [
        ("security.protocol", &security.protocol),
        ("sasl.mechanism", &security.mechanism),
        ("ssl.ca.location", &security.ca),
    ];
    for (key, value) in plain {
        if let Some(value) = value {
            settings.set(key, value);
        }
    }
    for (key, secret) in [
        ("sasl.username", &security.username),
        ("sasl.password", &security.password),
    ] {
        if let Some(secret) = secret {
            settings.set(key, secret.reveal());
        }
    }
    settings
}

/// A client that reads: it starts where it is told and nowhere else.
pub(super) fn consumer(config: &KafkaConfig) -> Result<BaseConsumer<Context>, SourceError> {
    let mut settings = settings(config);
    settings
        .set("group.id", GROUP)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "error")
        .set("fetch.wait.max.ms", "100");
    // One consumer a partition: what each may hold is small, so that many do not add up.
    for (key, value) in [
        ("queued.max.messages.kbytes", "16384"),
        ("fetch.message.max.bytes", "4194304"),
    ] {
        if !config.options.contains_key(key) {
            settings.set(key, value);
        }
    }
    settings
        .create_with_context(Context::default())
        .map_err(|error| unusable(config, &error))
}

/// The settings make no client.
pub(super) fn unusable(config: &KafkaConfig, error: &KafkaError) -> SourceError {
    SourceError::Unreachable {
        what: format!("Kafka at {}", config.brokers),
        reason: error.to_string(),
        help: "check `brokers`, `security` and `options` of the source".to_owned(),
    }
}

/// A request failed: says why as far as librdkafka knows.
pub(super) fn failed(config: &KafkaConfig, client: &BaseConsumer<Context>, error: &KafkaError) -> SourceError {
    // The reason waits in the client's queue; what else is in there has no taker any more.
    while client.poll(Duration::ZERO).is_some() {}
    let reason = client.context().last_error().unwrap_or_else(|| error.to_string());
    let code = error.rdkafka_error_code();
    let help = if code == Some(RDKafkaErrorCode::Authentication) || reason.to_ascii_lowercase().contains("authenticat")
    {
        "check `username`, `password` and `mechanism` under `security`"
    } else if reason.contains("SSL") || reason.contains("certificate") {
        "check `protocol` under `security`, and `ca` where the broker's certificate is your own"
    } else if reason.contains("authorization") || reason.contains("Authorization") {
        "allow this user to read and describe the topic"
    } else {
        "check that a broker listens there (the embedded broker lives only inside `clickrec demo` and the tests)"
    };
    SourceError::Unreachable {
        what: format!("Kafka at {}", config.brokers),
        reason,
        help: help.to_owned(),
    }
}
