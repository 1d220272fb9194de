//! Translates librdkafka's errors: a wrong key, a bad certificate, a missing topic, a denied one; and what to do about
//! it.

use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::native::{Verdict, judge};
use super::security::OAUTHBEARER;

/// Where librdkafka finds the client's certificate.
const CERTIFICATES: [&str; 3] = [
    "ssl.certificate.location",
    "ssl.certificate.pem",
    "ssl.keystore.location",
];
/// How long a second check of a certificate may take.
const SECOND_LOOK: Duration = Duration::from_secs(3);

/// Why Kafka cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    Credentials,
    Mechanism,
    Certificate,
    /// The client's certificate is missing, or the broker rejects it.
    ClientCertificate,
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
        } else if has("alert") && (has("certificate") || has("unknown ca")) {
            Self::ClientCertificate
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
            Self::Credentials if settings.get("sasl.mechanism") == Some(OAUTHBEARER) => (
                "the broker rejects the token",
                "check `scope` and `extensions` under `oauth`, and what the broker expects of a token: its issuer, its \
                 audience, its name",
            ),
            Self::Credentials => (
                "the broker rejects the user name or the password",
                "check `username`, `password` and `mechanism` under `security`",
            ),
            Self::Mechanism => (
                "the broker does not support this SASL mechanism",
                "check `mechanism` under `security`: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER",
            ),
            Self::Certificate => certificate(judge(settings, SECOND_LOOK)),
            Self::ClientCertificate if CERTIFICATES.iter().all(|key| settings.get(key).is_none()) => (
                "the broker requires a client certificate",
                "set `certificate` and `key` under `security`",
            ),
            Self::ClientCertificate => (
                "the broker rejects the client's certificate",
                "check that `certificate` under `security` has not expired, and that the broker trusts its authority",
            ),
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

/// What is wrong with certificates or a key that no client can be made with, and how to fix it; `None` if something else
/// is wrong.
pub(super) fn unusable_pem(reason: &str) -> Option<(&'static str, &'static str)> {
    let has = |word: &str| reason.contains(word);
    if has("ssl.key") && has("mismatch") {
        Some((
            "the key does not match the client's certificate",
            "set `certificate` and `key` under `security` to a matching pair",
        ))
    } else if has("ssl.key") {
        Some((
            "the client's key cannot be used",
            "check `key` or `key_pem` under `security`, which must be PEM, and `key_password` if it is encrypted",
        ))
    } else if has("ssl.certificate") {
        Some((
            "the client's certificate cannot be used",
            "check `certificate` or `certificate_pem` under `security`, which must be PEM",
        ))
    } else if has("ssl.ca") {
        Some((
            "the authorities' certificates cannot be used",
            "check `ca` or `ca_pem` under `security`, which must be PEM",
        ))
    } else {
        None
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What OpenSSL says of the alerts that brokers send.
    #[test]
    fn a_broker_that_rejects_the_client_is_not_one_that_the_client_rejects() {
        for reason in [
            "ssl://127.0.0.1:9093/bootstrap: SSL handshake failed: error:0A000412:SSL routines::sslv3 alert bad \
             certificate: SSL alert number 42 (after 3ms in state SSL_HANDSHAKE)",
            "Receive failed: error:0A000416:SSL routines::ssl/tls alert certificate unknown: SSL alert number 46",
            "Receive failed: error:0A00045C:SSL routines::tlsv13 alert certificate required: SSL alert number 116",
            "Receive failed: error:0A000418:SSL routines::tlsv1 alert unknown ca: SSL alert number 48",
        ] {
            assert_eq!(Cause::of(None, reason), Cause::ClientCertificate, "{reason}");
        }
        let reason = "SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: broker certificate \
                      could not be verified";
        assert_eq!(Cause::of(None, reason), Cause::Certificate);
    }

    #[test]
    fn what_the_broker_rejects_depends_on_the_settings() {
        let told = |cause: Cause, settings: &[(&str, &str)]| {
            let mut config = ClientConfig::new();
            settings.iter().for_each(|(key, value)| _ = config.set(*key, *value));
            cause.explain(&config)
        };
        let (what, help) = told(Cause::ClientCertificate, &[]);
        assert!(what.contains("requires") && help.contains("`key`"), "{what}: {help}");
        for key in CERTIFICATES {
            let (what, _) = told(Cause::ClientCertificate, &[(key, "client.pem")]);
            assert!(what.contains("rejects the client's certificate"), "{what}");
        }
        let (what, help) = told(Cause::Credentials, &[("sasl.mechanism", "OAUTHBEARER")]);
        assert!(what.contains("token") && help.contains("`oauth`"), "{what}: {help}");
        let (what, _) = told(Cause::Credentials, &[("sasl.mechanism", "PLAIN")]);
        assert!(what.contains("password"), "{what}");
    }
}
