//! Translates librdkafka's errors: a wrong key, a bad certificate, a missing topic, a denied one; and what to do about
//! it.

use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::native::{Verdict, judge};

/// How long a second check of a certificate may take.
const SECOND_LOOK: Duration = Duration::from_secs(3);

/// Why Kafka cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    Credentials,
    Mechanism,
    Certificate,
    Protocol,
    Denied,
    UnknownHost,
    /// Unreachable or silent; may recover in a moment.
    Down,
}

impl Cause {
    pub fn of(error: Option<&KafkaError>, reason: &str) -> Self {
        use RDKafkaErrorCode::{ClusterAuthorizationFailed, TopicAuthorizationFailed};
        let code = error.and_then(KafkaError::rdkafka_error_code);
        let has = |word: &str| reason.contains(word);
        if matches!(code, Some(TopicAuthorizationFailed | ClusterAuthorizationFailed)) {
            Self::Denied
        } else if has("mechanism") {
            Self::Mechanism
        } else if has("SASL") || has("uthentication failed") || code == Some(RDKafkaErrorCode::Authentication) {
            Self::Credentials
        } else if has("certificate verify failed") || has("verify broker certificate") {
            Self::Certificate
        } else if has("SSL handshake failed")
            || has("in state SSL_HANDSHAKE")
            || has("security.protocol")
            || has("PLAINTEXT broker listener")
        {
            Self::Protocol
        } else if has("Failed to resolve") {
            Self::UnknownHost
        } else {
            Self::Down
        }
    }

    /// Whether the failure is permanent, so that waiting does not help.
    pub fn is_final(self) -> bool {
        self != Self::Down
    }

    /// What is wrong, in a few words, and how to fix it.
    pub fn explain(self, settings: &ClientConfig) -> (&'static str, &'static str) {
        match self {
            Self::Credentials => (
                "the broker rejects the user name or the password",
                "check `username`, `password` and `mechanism` under `security`",
            ),
            Self::Mechanism => (
                "the broker does not support this SASL mechanism",
                "check `mechanism` under `security`: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
            ),
            Self::Certificate => certificate(judge(settings, SECOND_LOOK)),
            Self::Protocol => (
                "the broker does not speak this protocol on this port",
                "check `protocol` under `security`, and the port in `brokers`",
            ),
            Self::Denied => (
                "this user is not allowed to read the topic",
                "grant the user READ and DESCRIBE on the topic (by an ACL or a role)",
            ),
            Self::UnknownHost => ("the host name cannot be resolved", "check `brokers`"),
            Self::Down => (
                "no answer",
                "check that a broker listens there (the embedded broker exists only in `clickrec demo` and the \
                 tests)",
            ),
        }
    }
}

fn certificate(verdict: Option<Verdict>) -> (&'static str, &'static str) {
    match verdict {
        Some(Verdict::Expired) => (
            "the broker's certificate has expired",
            "renew it on the broker; if it is still valid, this machine's clock is wrong",
        ),
        Some(Verdict::NotYetValid) => (
            "the broker's certificate is not valid yet",
            "check this machine's clock",
        ),
        Some(Verdict::OtherHost) => (
            "the broker's certificate is for another host",
            "in `brokers`, use the name in the broker's certificate",
        ),
        Some(Verdict::UnknownAuthority) => (
            "the broker's certificate comes from an authority that is not trusted here",
            "set `ca` (a PEM file) or `ca_pem` under `security` to the authority's certificate",
        ),
        Some(Verdict::Other(_)) | None => (
            "the broker's certificate was rejected",
            "check `ca` or `ca_pem` under `security`, and the broker's certificate",
        ),
    }
}
