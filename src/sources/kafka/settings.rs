//! The settings of a source: as written, and validated. Which topics it reads is in `topics`.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use clickrec_udfs::ValueSchemas;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_yaml::Spanned;

use super::Topics;
use super::security::{RawSecurity, Security, instead_of};
use crate::settings::{RawOption, Secret, Text, Values, as_secret, is_credential, is_literal};
use crate::sources::schema_registry::{RawRegistry, schemas};
use crate::sources::{RawSettings, SourceConfig, SourceError};

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

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawKafka {
    /// `host:port`, or several of them, separated by commas.
    #[schemars(with = "String")]
    pub brokers: Text,
    /// The name of the topic, if there is only one.
    #[schemars(with = "Option<String>")]
    pub topic: Option<Text>,
    /// The names of several topics, instead of `topic`.
    #[schemars(with = "Option<Vec<String>>")]
    pub topics: Option<Vec<Text>>,
    /// A regular expression for the whole names of the topics, instead of `topic`; internal ones (`__…`) never match.
    #[schemars(with = "Option<String>")]
    pub topic_pattern: Option<Text>,
    /// Encryption and authentication.
    #[serde(default)]
    pub security: RawSecurity,
    /// The registry that has the schemas of the values, for `from_avro` and `from_protobuf`.
    pub schema_registry: Option<RawRegistry>,
    /// A file with the schema of all values, which then do not begin with a schema ID: Avro, or Protobuf with a `message`.
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

/// Topics and how to reach them.
#[derive(Debug, Clone)]
pub struct KafkaConfig {
    /// `host:port,host:port`.
    pub brokers: String,
    /// Which topics are read.
    pub topics: Topics,
    /// Encryption and authentication.
    pub security: Security,
    /// Further librdkafka settings (`fetch.max.bytes`, …), passed on unchanged. Some contain keys, so none is printed.
    pub options: BTreeMap<String, Secret>,
    /// What describes its values if they are Avro or Protobuf.
    pub schemas: Option<ValueSchemas>,
}

impl KafkaConfig {
    /// The settings of a Kafka source; `None` for other kinds.
    pub fn of(source: &dyn SourceConfig) -> Option<&Self> {
        (source as &dyn Any).downcast_ref()
    }

    /// The topics and their brokers, for messages.
    pub(super) fn named(&self) -> String {
        match self.topics.only() {
            Some(topic) => format!("topic `{topic}` at {}", self.brokers),
            None => format!("the {} at {}", self.topics, self.brokers),
        }
    }

    /// The same settings for one of the topics, so that messages name that one.
    pub(super) fn of_topic(&self, topic: &str) -> Self {
        Self {
            topics: Topics::one(topic),
            ..self.clone()
        }
    }

    /// The topic to send records to.
    ///
    /// # Errors
    /// When there may be several.
    pub fn only_topic(&self) -> Result<&str, SourceError> {
        self.topics.only().ok_or_else(|| SourceError::NotSent {
            what: self.named(),
            reason: "records are sent to one topic, and this source has several".to_owned(),
            help: "choose a target in which the source has one `topic`; or name the topic of each record in SQL: \
                   clickrec sql --write -c \"insert into kafka.SOURCE (topic, key, value) …\""
                .to_owned(),
        })
    }
}

impl RawSettings for RawKafka {
    fn validate(&self, values: &mut Values) -> Option<Arc<dyn SourceConfig>> {
        Some(Arc::new(self.config(values)?))
    }

    fn credentials(&self) -> Vec<(&str, &Text)> {
        let of_registry = self.schema_registry.iter().flat_map(RawRegistry::credentials);
        self.security.credentials().into_iter().chain(of_registry).collect()
    }
}

impl RawKafka {
    fn config(&self, values: &mut Values) -> Option<KafkaConfig> {
        let brokers = values.text(&self.brokers);
        let topics = Topics::validate(
            self.topic.as_ref(),
            self.topics.as_deref(),
            self.topic_pattern.as_ref(),
            self.brokers.referenced,
            values,
        );
        let security = self.security.validate(&self.options, values);
        let mut options = BTreeMap::new();
        for (key, value) in &self.options {
            if RESERVED_OPTIONS.contains(&key.as_str()) {
                let help = "clickrec sets this option itself, because exactly-once reading depends on it".to_owned();
                values.problem(
                    value.referenced,
                    format!("the option `{key}` cannot be set"),
                    Some(help),
                );
            } else if let Some((message, help)) = instead_of(key) {
                values.problem(value.referenced, message, Some(help));
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
            topics: topics?,
            security,
            options,
            schemas,
        })
    }
}
