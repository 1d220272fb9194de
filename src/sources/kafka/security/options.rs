//! librdkafka's own names of security settings, and what to write instead of them under `options`.

use std::collections::BTreeMap;

use serde_yaml::Spanned;

use crate::settings::{RawOption, Values};

/// librdkafka settings that have a key of their own under `security`.
const KEYS: [(&str, &str); 16] = [
    ("security.protocol", "protocol"),
    ("sasl.mechanism", "mechanism"),
    ("sasl.mechanisms", "mechanism"),
    ("sasl.username", "username"),
    ("sasl.password", "password"),
    ("ssl.ca.location", "ca"),
    ("ssl.ca.pem", "ca_pem"),
    ("sasl.oauthbearer.token.endpoint.url", "oauth: { token_url: … }"),
    ("sasl.oauthbearer.client.id", "oauth: { client_id: … }"),
    (
        "sasl.oauthbearer.client.credentials.client.id",
        "oauth: { client_id: … }",
    ),
    ("sasl.oauthbearer.client.secret", "oauth: { client_secret: … }"),
    (
        "sasl.oauthbearer.client.credentials.client.secret",
        "oauth: { client_secret: … }",
    ),
    ("sasl.oauthbearer.scope", "oauth: { scope: … }"),
    ("sasl.oauthbearer.extensions", "oauth: { extensions: … }"),
    ("https.ca.location", "oauth: { ca: … }"),
    ("enable.sasl.oauthbearer.unsecure.jwt", "oauth"),
];
/// All other options of these beginnings are about how librdkafka itself would request a token, and about Kerberos.
const REQUEST: &str = "sasl.oauthbearer.";
const KERBEROS: &str = "sasl.kerberos.";

/// The client's certificate and its key, which `options` may set as long as `security` does not.
const CLIENT: [&str; 7] = [
    "ssl.certificate.location",
    "ssl.certificate.pem",
    "ssl.key.location",
    "ssl.key.pem",
    "ssl.key.password",
    "ssl.keystore.location",
    "ssl.keystore.password",
];

/// Why `options` may not set this option, and what to do instead; `None` if it may.
pub(in crate::sources::kafka) fn instead_of(option: &str) -> Option<(String, String)> {
    if option.starts_with(KERBEROS) {
        let help = "let the brokers offer another mechanism, and set `mechanism` under `security:`".to_owned();
        return Some((format!("`{option}` cannot be set: Kerberos is not built in"), help));
    }
    let known = KEYS.iter().find(|(name, _)| *name == option).map(|(_, key)| *key);
    let key = known.or_else(|| option.starts_with(REQUEST).then_some("oauth"))?;
    let help = format!("write it as `{key}` under `security:`");
    Some((format!("`{option}` cannot be set under `options:`"), help))
}

/// Refuses options that say again who the client is.
pub(super) fn refuse_second_identity(options: &BTreeMap<String, Spanned<RawOption>>, values: &mut Values) {
    for (name, option) in options {
        if CLIENT.contains(&name.as_str()) {
            let help =
                "`certificate`, `key` and `key_password` under `security:` say who the client is: leave the option \
                        out"
                .to_owned();
            values.problem(
                option.referenced,
                format!("`{name}` cannot be set together with `certificate` or `key`"),
                Some(help),
            );
        }
    }
}
