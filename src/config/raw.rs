//! The file as written.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_yaml::{Error, Spanned};

use super::raw_expectation::RawExpectation;
use super::{ConfigError, Problem, nearest};

/// Text with its place, not yet interpolated.
pub(super) type Text = Spanned<String>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawProject {
    pub lake: Text,
    #[serde(default)]
    pub storage: BTreeMap<String, Text>,
    #[serde(default)]
    pub sources: BTreeMap<String, Spanned<RawSource>>,
    #[serde(default)]
    pub targets: BTreeMap<String, RawTarget>,
    #[serde(default)]
    pub vars: BTreeMap<String, Text>,
    #[serde(default)]
    pub maintenance: RawMaintenance,
    pub pipelines: OrderedMap<RawPipeline>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMaintenance {
    pub compact_after: Option<Text>,
    pub compact_min_age: Option<Text>,
    pub target_file_size: Option<Text>,
    pub checkpoint_after: Option<Text>,
    pub retain: Option<Text>,
    pub log_retain: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTarget {
    pub lake: Option<Text>,
    pub storage: Option<BTreeMap<String, Text>>,
    #[serde(default)]
    pub sources: BTreeMap<String, Spanned<RawSource>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSource {
    pub kafka: Option<RawKafka>,
    pub files: Option<RawFiles>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawKafka {
    pub brokers: Text,
    pub topic: Text,
    #[serde(default)]
    pub security: RawSecurity,
    #[serde(default)]
    pub options: BTreeMap<String, Spanned<RawOption>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSecurity {
    pub protocol: Option<Text>,
    pub mechanism: Option<Text>,
    pub username: Option<Text>,
    pub password: Option<Text>,
    pub ca: Option<Text>,
    pub ca_pem: Option<Text>,
}

/// A librdkafka setting: they are all text in the end.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum RawOption {
    Switch(bool),
    Number(i64),
    Text(String),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFiles {
    pub path: Text,
    pub format: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPipeline {
    pub trigger: Option<Spanned<RawTrigger>>,
    pub steps: Vec<Spanned<RawStep>>,
}

/// `10s`, or `{ every: 10s, records: 500000, bytes: 64MiB }`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum RawTrigger {
    Every(String),
    Limits(RawLimits),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLimits {
    pub every: Option<String>,
    pub records: Option<u64>,
    pub bytes: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawStep {
    pub name: Text,
    pub sql: Text,
    pub mode: Text,
    #[serde(default)]
    pub key: Vec<Text>,
    pub delete: Option<Text>,
    pub refresh_after: Option<Text>,
    pub every: Option<Text>,
    pub compact_min_age: Option<Text>,
    #[serde(default)]
    pub partition_by: Vec<Text>,
    #[serde(default)]
    pub cluster_by: Vec<Text>,
    #[serde(default)]
    pub expect: Vec<Spanned<RawExpectation>>,
}

/// A mapping in the file's order.
#[derive(Debug)]
pub(super) struct OrderedMap<T>(pub Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OrderedMap<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>> serde::de::Visitor<'de> for Visitor<T> {
            type Value = OrderedMap<T>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a mapping")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = vec![];
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(OrderedMap(entries))
            }
        }

        deserializer.deserialize_map(Visitor(std::marker::PhantomData))
    }
}

impl RawProject {
    /// Parses the file; its first error, with its place and the nearest known key.
    pub fn parse(file: &Path, text: &str) -> Result<Self, ConfigError> {
        serde_yaml::from_str(text).map_err(|error| ConfigError {
            file: file.to_owned(),
            problems: vec![problem(error.without_snippet())],
        })
    }
}

fn problem(error: &Error) -> Problem {
    let at = error
        .location()
        .map(|location| (location.line(), location.column()))
        .filter(|at| at.0 > 0);
    let (message, help) = match error {
        Error::SerdeUnknownField { field, expected, .. } => {
            let help = nearest(field, expected.iter().copied()).map(|near| format!("did you mean `{near}`?"));
            (
                format!("unknown key `{field}`; known here: {}", expected.join(", ")),
                help,
            )
        }
        Error::SerdeMissingField { field, .. } => (format!("`{field}` is missing"), None),
        Error::DuplicateMappingKey { key: Some(key), .. } => (format!("`{key}` is there twice"), None),
        Error::SerdeInvalidType {
            unexpected, expected, ..
        } => (format!("expected {expected}, found {unexpected}"), None),
        other => {
            // The library's own rendering repeats the place; its first line is the message.
            let text = other.to_string();
            (
                text.lines()
                    .next()
                    .unwrap_or("is not YAML")
                    .trim_start_matches("error: ")
                    .to_owned(),
                None,
            )
        }
    };
    Problem { at, message, help }
}
