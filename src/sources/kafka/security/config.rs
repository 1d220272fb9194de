//! The validated security settings, and librdkafka's names for them.

use std::sync::Arc;

use rdkafka::config::ClientConfig;

use crate::settings::Secret;
use crate::sources::kafka::oauth::Tokens;

/// The mechanism that needs tokens.
pub(in crate::sources::kafka) const OAUTHBEARER: &str = "OAUTHBEARER";

/// Kafka's security settings.
#[derive(Debug, Clone, Default)]
pub struct Security {
    /// `PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`; librdkafka's default if `None`.
    pub protocol: Option<String>,
    /// `PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512` or `OAUTHBEARER`.
    pub mechanism: Option<String>,
    /// The user name, or API key.
    pub username: Option<Secret>,
    /// The password, or API secret.
    pub password: Option<Secret>,
    /// Where the tokens for `OAUTHBEARER` come from.
    pub oauth: Option<Arc<Tokens>>,
    /// A PEM file of the certificate authorities to trust, instead of the system's.
    pub ca: Option<String>,
    /// The certificates themselves, as PEM text.
    pub ca_pem: Option<String>,
    /// A PEM file with the client's certificate, and those that lead from it to its authority.
    pub certificate: Option<String>,
    /// The same as PEM text.
    pub certificate_pem: Option<String>,
    /// A PEM file with the key of that certificate.
    pub key: Option<String>,
    /// The same as PEM text.
    pub key_pem: Option<Secret>,
    /// The password of the key, if it is encrypted.
    pub key_password: Option<Secret>,
}

impl Security {
    /// Adds them to the settings of a client.
    pub(in crate::sources::kafka) fn apply(&self, settings: &mut ClientConfig) {
        let plain = [
            ("security.protocol", &self.protocol),
            ("sasl.mechanism", &self.mechanism),
            ("ssl.ca.location", &self.ca),
            ("ssl.ca.pem", &self.ca_pem),
            ("ssl.certificate.location", &self.certificate),
            ("ssl.certificate.pem", &self.certificate_pem),
            ("ssl.key.location", &self.key),
        ];
        for (key, value) in plain {
            if let Some(value) = value {
                settings.set(key, value);
            }
        }
        let secret = [
            ("sasl.username", &self.username),
            ("sasl.password", &self.password),
            ("ssl.key.pem", &self.key_pem),
            ("ssl.key.password", &self.key_password),
        ];
        for (key, value) in secret {
            if let Some(value) = value {
                settings.set(key, value.reveal());
            }
        }
        if self.oauth.is_some() {
            // librdkafka's own requests for tokens, which nobody answers, would come before errors.
            settings.set("enable_sasl_queue", "true");
        }
    }
}
