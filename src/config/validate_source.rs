//! Validates the sources.

use std::collections::BTreeMap;

use serde_yaml::Spanned;

use super::name::is_identifier;
use super::raw::{RawFiles, RawKafka, RawOption, RawSource, Text};
use super::storage::{as_secret, is_credential, is_literal};
use super::validate::{Validator, normal};
use super::{FileFormat, FilesConfig, KafkaConfig, Security, SourceConfig};

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

impl Validator<'_> {
    pub(super) fn source(&mut self, name: &str, source: &Spanned<RawSource>) -> Option<SourceConfig> {
        if !is_identifier(name) {
            let message = format!("the source name `{name}` is not lower-case letters, digits and underscores");
            self.problem(source.referenced, message, None);
        }
        match (&source.value.kafka, &source.value.files) {
            (Some(kafka), None) => self.kafka(kafka).map(SourceConfig::Kafka),
            (None, Some(files)) => self.files(files).map(SourceConfig::Files),
            _ => {
                let message = format!("source `{name}` needs either `kafka` or `files`");
                self.problem(source.referenced, message, None);
                None
            }
        }
    }

    fn kafka(&mut self, raw: &RawKafka) -> Option<KafkaConfig> {
        let brokers = self.text(&raw.brokers);
        let topic = self.text(&raw.topic);
        let security = Security {
            protocol: self.optional(raw.security.protocol.as_ref()),
            mechanism: self.optional(raw.security.mechanism.as_ref()),
            username: self.secret(raw.security.username.as_ref()),
            password: self.credential(raw.security.password.as_ref()),
            ca: self.optional(raw.security.ca.as_ref()),
            ca_pem: self.optional(raw.security.ca_pem.as_ref()),
        };
        if let (Some(_), Some(pem)) = (&raw.security.ca, &raw.security.ca_pem) {
            let help = "`ca` names a file, `ca_pem` holds the certificates themselves: keep one".to_owned();
            self.problem(
                pem.referenced,
                "`ca` and `ca_pem` cannot both be set".to_owned(),
                Some(help),
            );
        }
        let mut options = BTreeMap::new();
        for (key, value) in &raw.options {
            if RESERVED_OPTIONS.contains(&key.as_str()) {
                let help = "clickrec sets it itself: exactly-once reading depends on it".to_owned();
                self.problem(
                    value.referenced,
                    format!("the option `{key}` cannot be set"),
                    Some(help),
                );
            } else if let Some((_, name)) = SECURITY_OPTIONS.iter().find(|(option, _)| option == key) {
                let help = format!("write it as `{name}` under `security:`");
                self.problem(value.referenced, format!("`{key}` is not for `options:`"), Some(help));
            } else if let (true, RawOption::Text(text)) = (is_credential(key), &value.value)
                && is_literal(text)
            {
                let help = "write \"${NAME}\", and set that in the environment".to_owned();
                self.problem(
                    value.referenced,
                    format!("the secret `{key}` stands in the file"),
                    Some(help),
                );
            } else if let Some(value) = self.option(value) {
                options.insert(key.clone(), as_secret(key, value));
            }
        }
        Some(KafkaConfig {
            brokers: brokers?,
            topic: topic?,
            security,
            options,
        })
    }

    fn option(&mut self, option: &Spanned<RawOption>) -> Option<String> {
        match &option.value {
            RawOption::Switch(value) => Some(value.to_string()),
            RawOption::Number(value) => Some(value.to_string()),
            RawOption::Text(value) => self.text(&Text::new(value.clone(), option.referenced, option.defined)),
        }
    }

    fn files(&mut self, raw: &RawFiles) -> Option<FilesConfig> {
        if let Some(format) = &raw.format
            && format.value != "ndjson"
        {
            let message = format!("unknown format `{}`", format.value);
            self.problem(
                format.referenced,
                message,
                Some("the one format is `ndjson`, plain or .gz".to_owned()),
            );
        }
        let path = self.text(&raw.path)?;
        let path = if path.contains("://") {
            path
        } else {
            normal(&self.root.join(path)).display().to_string()
        };
        Some(FilesConfig {
            path,
            root: self.root.clone(),
            format: FileFormat::Ndjson,
        })
    }
}
