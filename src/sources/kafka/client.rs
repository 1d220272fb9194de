//! librdkafka's clients: settings, security, requests that are repeated with growing timeouts (for 10 seconds, those to
//! a partition's leader for 30), and their errors.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::KafkaConfig;
use super::cause::{Cause, unusable_pem};
use super::oauth::TokenUser;
use crate::sources::SourceError;

/// The timeout of a request's first attempt; it doubles with each further attempt, up to the last.
const FIRST_SLICE: Duration = Duration::from_millis(500);
const LAST_SLICE: Duration = Duration::from_secs(3);
/// How long a broker may take to answer.
pub(super) const ANSWER: Duration = Duration::from_secs(10);
/// How long a partition may be without a leader that answers. Kafka notices after `broker.session.timeout.ms`, 9
/// seconds by default, that a broker has died, and elects another leader then.
const ELECTION: Duration = Duration::from_secs(30);
/// librdkafka requires a group even if partitions are assigned manually; nothing is ever committed to it.
const GROUP: &str = "clickrec";

/// Remembers what librdkafka reports on its own threads, so that a timeout can state its cause.
#[derive(Debug, Default)]
pub(super) struct Context {
    last_error: Mutex<Option<String>>,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(?level, facility, message, "librdkafka");
        // Only this event says what broke a connection; the error of the request that needed it says less.
        if matches!(facility, "FAIL" | "ERROR") {
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
        let mut last = self.last_error.lock().unwrap_or_else(PoisonError::into_inner);
        // "All brokers are down" is less specific than a cause that is known already.
        if last.is_none() || !reason.contains("brokers are down") {
            *last = Some(reason.to_owned());
        }
    }

    /// Clears the error once everything works again.
    pub fn forget_error(&self) {
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The last problem that librdkafka reported.
    pub fn last_error(&self) -> Option<String> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The settings all clients share: broker addresses, security, and the user's own settings.
pub(super) fn settings(config: &KafkaConfig) -> ClientConfig {
    let mut settings = ClientConfig::new();
    // librdkafka often reports why a connection broke only at this level; the log's own filter decides what is shown.
    settings.set_log_level(RDKafkaLogLevel::Info);
    settings
        .set("bootstrap.servers", &config.brokers)
        .set("client.id", "clickrec");
    // Retry quickly, and do not log when brokers close idle connections.
    settings
        .set("reconnect.backoff.max.ms", "1000")
        .set("log.connection.close", "false");
    for (key, value) in &config.options {
        settings.set(key, value.reveal());
    }
    config.security.apply(&mut settings);
    settings
}

/// A client of these settings, which is logged in if that takes tokens.
pub(super) fn connect<C, T>(config: &KafkaConfig, settings: &ClientConfig, context: C) -> Result<Arc<T>, SourceError>
where
    C: ClientContext,
    T: FromClientConfigAndContext<C> + TokenUser + 'static,
{
    let client = settings.create_with_context(context);
    let client: Arc<T> = Arc::new(client.map_err(|error| unusable(config, &error))?);
    if let Some(tokens) = &config.security.oauth {
        tokens.log_in(&client)?;
    }
    Ok(client)
}

/// A consumer that starts only at the offsets it is given.
pub(super) fn consumer(config: &KafkaConfig) -> Result<Arc<BaseConsumer<Context>>, SourceError> {
    let mut settings = settings(config);
    settings
        .set("group.id", GROUP)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "error")
        // The default of librdkafka, set explicitly because results must not depend on it: records of aborted
        // transactions are never read.
        .set("isolation.level", "read_committed")
        .set("fetch.wait.max.ms", "100");
    // Limits a consumer's memory to its queue plus one response that exceeds it. Responses are compressed, and each
    // record takes some hundred bytes more. The backoff for a full queue is short, or reading would stall.
    let mut defaults = vec![
        ("queued.max.messages.kbytes", "4096"),
        ("fetch.queue.backoff.ms", "5"),
        ("fetch.message.max.bytes", "524288"),
    ];
    // librdkafka rejects a `fetch.max.bytes` below the largest message size.
    if !config.options.contains_key("message.max.bytes") {
        defaults.push(("fetch.max.bytes", "2097152"));
    }
    for (key, value) in defaults {
        if !config.options.contains_key(key) {
            settings.set(key, value);
        }
    }
    connect(config, &settings, Context::default())
}

/// No client can be created from the settings.
fn unusable(config: &KafkaConfig, error: &KafkaError) -> SourceError {
    let mut help = "check `brokers`, `security` and `options` of the source";
    let mut reason = match error {
        // Its own message quotes the value, which may be a key.
        KafkaError::ClientConfig(_, _, key, _) => format!("librdkafka rejects the value of the option `{key}`"),
        KafkaError::ClientCreation(reason) => reason.clone(),
        other => other.to_string(),
    };
    if let Some((what, way_out)) = unusable_pem(&reason) {
        (reason, help) = (format!("{what} ({reason})"), way_out);
    }
    SourceError::Unreachable {
        what: format!("Kafka at {}", config.brokers),
        reason,
        help: help.to_owned(),
    }
}

/// Sends a request to the leaders of a topic's partitions. While one does not answer, asks the other brokers who leads
/// now: librdkafka itself would go on asking the broker that it knows.
pub(super) fn ask_leaders<T>(
    config: &KafkaConfig,
    client: &BaseConsumer<Context>,
    topic: &str,
    request: impl Fn(Duration) -> Result<T, KafkaError>,
) -> Result<T, SourceError> {
    with_retries(config, client, ELECTION, |timeout| {
        request(timeout).inspect_err(|_| _ = client.fetch_metadata(Some(topic), FIRST_SLICE))
    })
}

/// Sends a request to a broker, retrying in slices of time until it was patient for long enough, so that a permanent
/// failure (a wrong secret, a bad certificate) ends it early.
pub(super) fn with_retries<T>(
    config: &KafkaConfig,
    client: &BaseConsumer<Context>,
    patience: Duration,
    request: impl Fn(Duration) -> Result<T, KafkaError>,
) -> Result<T, SourceError> {
    let started = Instant::now();
    let mut slice = FIRST_SLICE;
    loop {
        let asked = Instant::now();
        let error = match request(slice) {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        tracing::debug!(%error, "a broker does not answer a request");
        let reason = listen(client).unwrap_or_else(|| error.to_string());
        if Cause::of(Some(&error), &reason).is_final() || !is_passing(&error) || started.elapsed() >= patience {
            return Err(failed(config, client, &error));
        }
        std::thread::sleep(FIRST_SLICE.saturating_sub(asked.elapsed()));
        slice = (2 * slice).min(LAST_SLICE);
    }
}

/// Whether the same request may succeed in a moment.
pub(super) fn is_passing(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{
        AllBrokersDown, BrokerNotAvailable, BrokerTransportFailure, DestroyBroker, FencedLeaderEpoch,
        LeaderNotAvailable, ListenerNotFound, NetworkException, NotLeaderForPartition, OffsetNotAvailable,
        OperationTimedOut, ReplicaNotAvailable, RequestTimedOut, TimedOutQueue, UnknownLeaderEpoch,
    };
    matches!(
        error.rdkafka_error_code(),
        Some(
            AllBrokersDown
                | BrokerNotAvailable
                | BrokerTransportFailure
                // No longer one of the cluster's
                | DestroyBroker
                | FencedLeaderEpoch
                | LeaderNotAvailable
                | ListenerNotFound
                | NetworkException
                | NotLeaderForPartition
                // A leader that was elected a moment ago
                | OffsetNotAvailable
                | OperationTimedOut
                | ReplicaNotAvailable
                | RequestTimedOut
                // Never sent, because the broker is down
                | TimedOutQueue
                | UnknownLeaderEpoch
        )
    )
}

/// The last error from librdkafka, which waits in the client's queue. Nothing else in the queue is needed anymore.
fn listen(client: &BaseConsumer<Context>) -> Option<String> {
    while client.poll(Duration::ZERO).is_some() {}
    client.context().last_error()
}

/// The error of a failed request, with its cause as far as librdkafka knows it.
pub(super) fn failed(config: &KafkaConfig, client: &BaseConsumer<Context>, error: &KafkaError) -> SourceError {
    let said = listen(client);
    let reason = match Cause::of(Some(error), "") {
        // The last reported problem may be about something else.
        Cause::Denied => error.to_string(),
        _ => said.unwrap_or_else(|| error.to_string()),
    };
    refused(config, Some(error), &reason)
}

/// The same, from a known cause.
pub(super) fn refused(config: &KafkaConfig, error: Option<&KafkaError>, reason: &str) -> SourceError {
    let cause = Cause::of(error, reason);
    if let (Cause::Credentials, Some(tokens)) = (cause, &config.security.oauth)
        && let Some(error) = tokens.failure()
    {
        return error;
    }
    let (what, help) = cause.explain(&settings(config));
    SourceError::Unreachable {
        what: match cause {
            Cause::Denied => config.named(),
            _ => format!("Kafka at {}", config.brokers),
        },
        reason: format!("{what} ({reason})"),
        help: help.to_owned(),
    }
}
