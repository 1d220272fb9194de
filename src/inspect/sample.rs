//! Records of a sample, read through the sources as the project will read them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use clickrec_udfs::framed;
use serde_json::Value;

use super::InspectError;
use crate::settings::{Environment, Values, VariableResolver};
use crate::sources::{RawSource, Source};

/// How many records are looked at.
const RECORDS_MAX: usize = 5_000;
/// How many bytes of them.
const BYTES_MAX: usize = 32 << 20;
/// Letters of a value in a message.
const LETTERS_MAX: usize = 40;

/// A record that is a JSON object.
#[derive(Debug, Clone)]
pub struct Record {
    /// As it arrived, but for the ID of a schema before it.
    pub text: String,
    /// Parsed.
    pub value: Value,
}

/// Records of a sample.
#[derive(Debug, Default)]
pub(super) struct Sample {
    pub records: Vec<Record>,
    /// How many records are not JSON objects.
    pub others: usize,
    /// What one of those is.
    pub example: Option<Other>,
}

/// A record that is not a JSON object.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Other {
    pub reason: String,
    pub help: &'static str,
}

impl Sample {
    /// Reads some records of a source with these settings, as written in `pipelines.yaml` in this folder.
    pub async fn read(sources: &[String], folder: &Path) -> Result<Self, InspectError> {
        let (mut sample, mut bytes) = (Self::default(), 0);
        for settings in sources {
            let values = open(settings, folder)?
                .sample(RECORDS_MAX / sources.len().max(1))
                .await?;
            for value in values {
                bytes += value.len();
                if bytes > BYTES_MAX && !sample.records.is_empty() {
                    break;
                }
                sample.add(&value);
            }
        }
        Ok(sample)
    }

    fn add(&mut self, value: &[u8]) {
        match parse(value) {
            Some(record) => self.records.push(record),
            None => {
                self.others += 1;
                self.example.get_or_insert_with(|| Other::of(value));
            }
        }
    }
}

fn parse(value: &[u8]) -> Option<Record> {
    let text = std::str::from_utf8(framed(value).map_or(value, |framed| framed.body)).ok()?;
    let value: Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).ok()?;
    value.is_object().then(|| Record {
        text: text.to_owned(),
        value,
    })
}

impl Other {
    fn of(value: &[u8]) -> Self {
        if let Some(framed) = framed(value) {
            let what = match framed.body.first() {
                Some(b'{' | b'[') => "JSON that is cut off, or is not an object",
                _ => "Avro or Protobuf",
            };
            return Self {
                reason: format!("a record begins with {}, and what follows is {what}", framed.schema_id),
                help: "its registry knows what such values are: run `clickrec init`, set the topic and its \
                       `schema_registry` in pipelines.yaml, and in sql/silver/clicks.sql read the values with from_avro \
                       or from_protobuf instead of from_json",
            };
        }
        let reason = match std::str::from_utf8(value) {
            Ok(text) => {
                let start: String = text.trim().chars().take(LETTERS_MAX).collect();
                format!("a record is not a JSON object: {}", start.escape_debug())
            }
            Err(_) => "a record is not text".to_owned(),
        };
        Self {
            reason,
            help: "a record must be a JSON object, or a row of a table; save some as JSON lines, or run `clickrec init` \
                   and write sql/silver/clicks.sql by hand",
        }
    }
}

/// Opens a source, as written in `pipelines.yaml` in this folder.
pub(super) fn open(settings: &str, folder: &Path) -> Result<Arc<dyn Source>, InspectError> {
    let unusable = |reason: String| InspectError::Location {
        sample: settings.to_owned(),
        reason,
        help: "name a file, a folder, a pattern like data/*.json, a URL, or kafka://HOST:PORT/TOPIC".to_owned(),
    };
    let written: RawSource = serde_yaml::from_str(settings).map_err(|error| unusable(error.to_string()))?;
    let environment = Environment::process();
    let variables = VariableResolver::new(&BTreeMap::new(), &environment, folder);
    let mut values = Values::new(variables, folder.to_owned());
    let config = written.settings().map_err(unusable)?.validate(&mut values);
    let (_, problems) = values.done();
    match (config, problems.into_iter().next()) {
        (Some(config), None) => Ok(config.open()?),
        (_, Some(problem)) => Err(unusable(problem.message)),
        (None, None) => Err(unusable("its settings are not valid".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn only_objects_are_records() {
        let mut sample = Sample::default();
        for value in ["{\"a\":1}", "\u{feff}{}", "[1]", "{\"a\":", "null"] {
            sample.add(value.as_bytes());
        }
        assert_eq!((sample.records.len(), sample.others), (2, 3));
        let reason = |value: &[u8]| Other::of(value).reason;
        assert_eq!(sample.example.unwrap().reason, "a record is not a JSON object: [1]");
        assert_eq!(reason(b"\xff\xfe"), "a record is not text");
    }
    #[test]
    fn json_may_follow_the_id_of_a_schema() {
        let mut sample = Sample::default();
        sample.add(b"\0\0\x01\x86\xa2{\"a\":1}");
        sample.add(b"\0\0\x01\x86\xa1\x04e0");
        assert_eq!((sample.records.len(), sample.others), (1, 1));
        assert_eq!(sample.records[0].text, "{\"a\":1}");
        let other = sample.example.unwrap();
        assert!(
            other.reason.contains("begins with schema ID 100001") && other.reason.contains("Avro or Protobuf"),
            "{other:?}"
        );
        assert!(
            other.help.contains("schema_registry") && other.help.contains("from_avro"),
            "{other:?}"
        );
    }
}
