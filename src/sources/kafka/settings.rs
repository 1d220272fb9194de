//! The settings of a topic: as written, and validated.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;

use clickrec_udfs::ValueSchemas;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_yaml::Spanned;

use crate::settings::{RawOption, Secret, Text, Values, as_secret, is_credential, is_literal};
use crate::sources::schema_registry::{RawRegistry, schemas};
use crate::sources::{RawSettings, SourceConfig};

/// librdkafka settings that the reader sets itself, because exactly-once reading depends on them.
const RESERVED_OPTIONS: [&str; 10] = [
    "auto.offset.reset",
    "bootstrap.servers",
    "client.rack",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.partition.eof",
    "group.id",
    "group.instance.id",
    "isolation.level",
    "metadata.broker.list",
];

/// librdkafka settings that have a key of their own.
const SECURITY_OPTIONS: [(&str, &str); 7] = [
    ("security.protocol", "protocol"),
    ("sasl.mechanism", "mechanism"),
    ("sasl.mechanisms", "mechanism"),
    ("sasl.username", "username"),
    ("sasl.password", "password"),
    ("ssl.ca.location", "ca"),
    ("ssl.ca.pem", "ca_pem"),
];

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawKafka {
    /// `host:port`, or several of them, separated by commas.
    #[schemars(with = "String")]
    pub brokers: Text,
    /// The name of the topic.
    #[schemars(with = "String")]
    pub topic: Text,
    /// Encryption and authentication.
    #[serde(default)]
    pub security: RawSecurity,
    /// The registry that has the schemas of the values, for `from_avro` and `from_protobuf`.
    pub schema_registry: Option<RawRegistry>,
    /// A file with the schema of all values, which then begin with no schema ID: Avro, or Protobuf with a `message`.
    #[schemars(with = "Option<String>")]
    pub schema: Option<Text>,
    /// The message of a Protobuf `schema` that all values are, with its package: `shop.Click`.
    #[schemars(with = "Option<String>")]
    pub message: Option<Text>,
    /// Further librdkafka settings, by name.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, RawOption>")]
    pub options: BTreeMap<String, Spanned<RawOption>>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawSecurity {
    /// `PLAINTEXT`, `SSL`, `SASL_SSL` or `SASL_PLAINTEXT`.
    #[schemars(with = "Option<String>")]
    pub protocol: Option<Text>,
    /// `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.
    #[schemars(with = "Option<String>")]
    pub mechanism: Option<Text>,
    /// User name or API key: `"${KAFKA_API_KEY}"`.
    #[schemars(with = "Option<String>")]
    pub username: Option<Text>,
    /// Password or API secret: `"${KAFKA_API_SECRET}"`.
    #[schemars(with = "Option<String>")]
    pub password: Option<Text>,
    /// A PEM file of the certificate authorities to trust.
    #[schemars(with = "Option<String>")]
    pub ca: Option<Text>,
    /// The authorities' certificates themselves, as PEM text: `"${KAFKA_CA}"`.
    #[schemars(with = "Option<String>")]
    pub ca_pem: Option<Text>,
}

/// A topic and how to reach it.
#[derive(Debug, Clone)]
pub struct KafkaConfig {
    /// `host:port,host:port`.
    pub brokers: String,
    /// The topic.
    pub topic: String,
    /// Encryption and authentication.
    pub security: Security,
    /// Further librdkafka settings (`fetch.max.bytes`, …), passed on unchanged. Some contain keys, so none is printed.
    pub options: BTreeMap<String, Secret>,
    /// What describes its values if they are Avro or Protobuf.
    pub schemas: Option<ValueSchemas>,
}

/// Kafka's security settings, under Kafka's own names.
#[derive(Debug, Clone, Default)]
pub struct Security {
    /// `PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`; librdkafka's default if `None`.
    pub protocol: Option<String>,
    /// `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.
    pub mechanism: Option<String>,
    /// The user name, or API key.
    pub username: Option<Secret>,
    /// The password, or API secret.
    pub password: Option<Secret>,
    /// A PEM file of the certificate authorities to trust, instead of the system's.
    pub ca: Option<String>,
    /// The certificates themselves, as PEM text.
    pub ca_pem: Option<String>,
}

impl KafkaConfig {
    /// The settings of a Kafka source; `None` for other kinds.
    pub fn of(source: &dyn SourceConfig) -> Option<&Self> {
        (source as &dyn Any).downcast_ref()
    }

    /// The topic and its brokers, for messages.
    pub(super) fn named(&self) -> String {
        format!("topic `{}` at {}", self.topic, self.brokers)
    }

    /// The place of a partition of the topic, or of its `id`: the name of a position.
    pub(super) fn place(&self, of: impl Display) -> String {
        format!("{}/{of}", self.topic)
    }
}

impl RawSettings for RawKafka {
    fn validate(&self, values: &mut Values) -> Option<Arc<dyn SourceConfig>> {
        Some(Arc::new(self.config(values)?))
    }

    fn credentials(&self) -> Vec<(&str, &Text)> {
        let password = self.security.password.iter().map(|text| ("password", text));
        let of_registry = self.schema_registry.iter().flat_map(RawRegistry::credentials);
        password.chain(of_registry).collect()
    }
}

impl RawKafka {
    fn config(&self, values: &mut Values) -> Option<KafkaConfig> {
        let brokers = values.text(&self.brokers);
        let topic = values.text(&self.topic);
        let security = Security {
            protocol: values.optional(self.security.protocol.as_ref()),
            mechanism: values.optional(self.security.mechanism.as_ref()),
            username: values.secret(self.security.username.as_ref()),
            password: values.credential(self.security.password.as_ref()),
            ca: values.optional(self.security.ca.as_ref()),
            ca_pem: values.optional(self.security.ca_pem.as_ref()),
        };
        if let (Some(_), Some(pem)) = (&self.security.ca, &self.security.ca_pem) {
            let help = "`ca` names a file, and `ca_pem` holds the certificates themselves: keep one of them".to_owned();
            values.problem(
                pem.referenced,
                "`ca` and `ca_pem` cannot both be set".to_owned(),
                Some(help),
            );
        }
        let mut options = BTreeMap::new();
        for (key, value) in &self.options {
            if RESERVED_OPTIONS.contains(&key.as_str()) {
                let help = "clickrec sets this option itself, because exactly-once reading depends on it".to_owned();
                values.problem(
                    value.referenced,
                    format!("the option `{key}` cannot be set"),
                    Some(help),
                );
            } else if let Some((_, name)) = SECURITY_OPTIONS.iter().find(|(option, _)| option == key) {
                let help = format!("write it as `{name}` under `security:`");
                values.problem(
                    value.referenced,
                    format!("`{key}` cannot be set under `options:`"),
                    Some(help),
                );
            } else if let (true, RawOption::Text(text)) = (is_credential(key), &value.value)
                && is_literal(text)
            {
                let help = "write \"${NAME}\", and set NAME in the environment".to_owned();
                values.problem(
                    value.referenced,
                    format!("the file contains the secret `{key}`"),
                    Some(help),
                );
            } else if let Some(value) = values.option(value) {
                options.insert(key.clone(), as_secret(key, value));
            }
        }
        let registry = self.schema_registry.as_ref();
        let schemas = schemas(registry, self.schema.as_ref(), self.message.as_ref(), values);
        Some(KafkaConfig {
            brokers: brokers?,
            topic: topic?,
            security,
            options,
            schemas,
        })
    }
}
