//! Where events come from, validated.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::Secret;

/// A named source of `sources:`.
#[derive(Debug, Clone)]
pub enum SourceConfig {
    /// A Kafka topic.
    Kafka(KafkaConfig),
    /// Files, or a growing folder.
    Files(FilesConfig),
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

/// Files of records.
#[derive(Debug, Clone)]
pub struct FilesConfig {
    /// A folder, or a path or URL, possibly with a glob (`sample_data/*.json`). Relative paths have been resolved.
    pub path: String,
    /// The folder of the project file: file names in records are relative to it.
    pub root: PathBuf,
    /// How records are laid out in a file.
    pub format: FileFormat,
}

/// How records are laid out in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// One JSON object per line; a name ending in `.gz` is gzip.
    Ndjson,
}
