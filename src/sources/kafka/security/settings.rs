//! Security settings as written in `pipelines.yaml`, and their validation.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_yaml::Spanned;

use super::Security;
use super::config::OAUTHBEARER;
use super::mechanism::{mechanism, protocol};
use super::options::refuse_second_identity;
use crate::settings::{RawOption, Text, Values};
use crate::sources::kafka::oauth::RawOAuth;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawSecurity {
    /// `PLAINTEXT`, `SSL`, `SASL_SSL` or `SASL_PLAINTEXT`.
    #[schemars(with = "Option<String>")]
    pub protocol: Option<Text>,
    /// `PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512` or `OAUTHBEARER`.
    #[schemars(with = "Option<String>")]
    pub mechanism: Option<Text>,
    /// User name or API key: `"${KAFKA_API_KEY}"`.
    #[schemars(with = "Option<String>")]
    pub username: Option<Text>,
    /// Password or API secret: `"${KAFKA_API_SECRET}"`.
    #[schemars(with = "Option<String>")]
    pub password: Option<Text>,
    /// Where the tokens for `OAUTHBEARER` come from.
    pub oauth: Option<RawOAuth>,
    /// A PEM file of the certificate authorities to trust.
    #[schemars(with = "Option<String>")]
    pub ca: Option<Text>,
    /// The authorities' certificates themselves, as PEM text: `"${KAFKA_CA}"`.
    #[schemars(with = "Option<String>")]
    pub ca_pem: Option<Text>,
    /// A PEM file with the client's certificate, for brokers that require one (mutual TLS).
    #[schemars(with = "Option<String>")]
    pub certificate: Option<Text>,
    /// The client's certificate itself, as PEM text: `"${KAFKA_CERTIFICATE}"`.
    #[schemars(with = "Option<String>")]
    pub certificate_pem: Option<Text>,
    /// A PEM file with the key of the client's certificate.
    #[schemars(with = "Option<String>")]
    pub key: Option<Text>,
    /// The key itself, as PEM text: `"${KAFKA_KEY}"`.
    #[schemars(with = "Option<String>")]
    pub key_pem: Option<Text>,
    /// The password of an encrypted key: `"${KAFKA_KEY_PASSWORD}"`.
    #[schemars(with = "Option<String>")]
    pub key_password: Option<Text>,
}

impl RawSecurity {
    /// Credentials, by the names of their keys.
    pub fn credentials(&self) -> Vec<(&'static str, &Text)> {
        let secret = self.oauth.as_ref().map(|oauth| &oauth.client_secret);
        let all = [
            ("password", self.password.as_ref()),
            ("client_secret", secret),
            ("key_pem", self.key_pem.as_ref()),
            ("key_password", self.key_password.as_ref()),
        ];
        all.into_iter().filter_map(|(name, text)| Some((name, text?))).collect()
    }

    /// Validates them; problems are among those of `values`.
    pub fn validate(&self, options: &BTreeMap<String, Spanned<RawOption>>, values: &mut Values) -> Security {
        let security = Security {
            protocol: checked(self.protocol.as_ref(), values, protocol),
            mechanism: checked(self.mechanism.as_ref(), values, mechanism),
            username: values.secret(self.username.as_ref()),
            password: values.credential(self.password.as_ref()),
            oauth: self.oauth.as_ref().and_then(|oauth| oauth.tokens(values)),
            ca: path(self.ca.as_ref(), values),
            ca_pem: values.optional(self.ca_pem.as_ref()),
            certificate: path(self.certificate.as_ref(), values),
            certificate_pem: values.optional(self.certificate_pem.as_ref()),
            key: path(self.key.as_ref(), values),
            key_pem: values.credential(self.key_pem.as_ref()),
            key_password: values.credential(self.key_password.as_ref()),
        };
        self.check_mechanism(&security, values);
        self.check_files_and_texts(values);
        self.check_identity(options, values);
        security
    }

    /// What the protocol needs is there, and tokens are for the mechanism that has them.
    fn check_mechanism(&self, security: &Security, values: &mut Values) {
        let is_sasl = security.protocol.as_ref().map(|protocol| protocol.starts_with("SASL"));
        let mechanism = security.mechanism.as_deref();
        match (&self.protocol, &self.mechanism) {
            (Some(protocol), None) if is_sasl == Some(true) => {
                let help = "set `mechanism` to that of the brokers, such as PLAIN".to_owned();
                values.problem(protocol.referenced, "SASL needs a `mechanism`", Some(help));
            }
            (_, Some(written)) if mechanism == Some(OAUTHBEARER) && self.oauth.is_none() => {
                let help =
                    "write `oauth: { token_url: …, client_id: …, client_secret: … }` under `security:`".to_owned();
                values.problem(written.referenced, "OAUTHBEARER needs `oauth`", Some(help));
            }
            _ => {}
        }
        let Some(oauth) = &self.oauth else { return };
        // A mechanism or protocol with a problem of its own is neither right nor wrong.
        let is_other = mechanism.map_or(self.mechanism.is_none(), |mechanism| mechanism != OAUTHBEARER);
        if is_other || is_sasl.map_or(self.protocol.is_none(), |is_sasl| !is_sasl) {
            let help = "set `protocol: SASL_SSL` and `mechanism: OAUTHBEARER`, or leave `oauth` out".to_owned();
            values.problem(oauth.token_url.referenced, "`oauth` would not be used", Some(help));
        }
    }

    /// Each is either a file or a text.
    fn check_files_and_texts(&self, values: &mut Values) {
        for (name, file, text, what) in [
            ("ca", &self.ca, &self.ca_pem, "the certificates themselves"),
            (
                "certificate",
                &self.certificate,
                &self.certificate_pem,
                "the certificate itself",
            ),
            ("key", &self.key, &self.key_pem, "the key itself"),
        ] {
            if let (Some(_), Some(text)) = (file, text) {
                let help = format!("`{name}` names a file, and `{name}_pem` holds {what}: keep one of them");
                let message = format!("`{name}` and `{name}_pem` cannot both be set");
                values.problem(text.referenced, message, Some(help));
            }
        }
    }

    /// A certificate and its key belong together.
    fn check_identity(&self, options: &BTreeMap<String, Spanned<RawOption>>, values: &mut Values) {
        let certificate = self.certificate.as_ref().or(self.certificate_pem.as_ref());
        let key = self.key.as_ref().or(self.key_pem.as_ref());
        let alone = match (certificate, key, &self.key_password) {
            (Some(certificate), None, _) => {
                Some((certificate, "`certificate` needs its key", "set `key` or `key_pem`"))
            }
            (None, Some(key), _) => Some((
                key,
                "`key` needs its certificate",
                "set `certificate` or `certificate_pem`",
            )),
            (None, None, Some(password)) => Some((
                password,
                "`key_password` has no `key`",
                "set `certificate` and `key`, too",
            )),
            _ => None,
        };
        if let Some((text, message, help)) = alone {
            values.problem(text.referenced, message, Some(format!("{help} under `security:`")));
        }
        if certificate.or(key).or(self.key_password.as_ref()).is_some() {
            refuse_second_identity(options, values);
        }
    }
}

/// The value as librdkafka writes it; `None` if there is none, or it has a problem.
fn checked(
    text: Option<&Text>,
    values: &mut Values,
    known: fn(&str) -> Result<&'static str, (String, String)>,
) -> Option<String> {
    let text = text?;
    match known(&values.text(text)?) {
        Ok(known) => Some(known.to_owned()),
        Err((message, help)) => {
            values.problem(text.referenced, message, Some(help));
            None
        }
    }
}

/// The path of a file, from the folder of the project on.
fn path(text: Option<&Text>, values: &mut Values) -> Option<String> {
    text.and_then(|text| values.path(text))
}
