//! Records of a sample, read through the sources as the project will read them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::InspectError;
use crate::settings::{Environment, Values, VariableResolver};
use crate::sources::{RawSource, Source};

/// How many records are looked at.
const RECORDS_MAX: usize = 5_000;
/// How many bytes of them.
const BYTES_MAX: usize = 32 << 20;
/// What Confluent's serializers write before a value: a zero, and four bytes of the id of a schema.
const SCHEMA_ID: usize = 5;
/// Letters of a value in a message.
const LETTERS_MAX: usize = 40;

/// A record that is a JSON object.
#[derive(Debug, Clone)]
pub struct Record {
    /// As it arrived.
    pub text: String,
    /// Parsed.
    pub value: Value,
}

/// Records of a sample.
#[derive(Debug, Default)]
pub(super) struct Sample {
    pub records: Vec<Record>,
    /// How many records are no JSON objects.
    pub others: usize,
    /// What one of those is.
    pub example: Option<String>,
}

impl Sample {
    /// Reads some records of a source with these settings, as they stand in `pipelines.yaml` in this folder.
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
                self.example.get_or_insert_with(|| description(value));
            }
        }
    }
}

fn parse(value: &[u8]) -> Option<Record> {
    let text = std::str::from_utf8(value).ok()?;
    let value: Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).ok()?;
    value.is_object().then(|| Record {
        text: text.to_owned(),
        value,
    })
}

/// What a value is that is no JSON object.
fn description(value: &[u8]) -> String {
    if value.first() == Some(&0) && value.len() > SCHEMA_ID {
        return match value.get(SCHEMA_ID) {
            Some(b'{') => "a record begins with the id of a schema, as Confluent's serializers write it before JSON",
            _ => "a record begins with the id of a schema, as Confluent's serializers write it before Avro or Protobuf",
        }
        .to_owned();
    }
    let Ok(text) = std::str::from_utf8(value) else {
        return "a record is not text".to_owned();
    };
    let start: String = text.trim().chars().take(LETTERS_MAX).collect();
    format!("a record is not a JSON object: {}", start.escape_debug())
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
    use super::*;

    #[test]
    fn only_objects_are_records() {
        let mut sample = Sample::default();
        for value in ["{\"a\":1}", "\u{feff}{}", "[1]", "{\"a\":", "null"] {
            sample.add(value.as_bytes());
        }
        assert_eq!((sample.records.len(), sample.others), (2, 3));
        assert_eq!(sample.example.as_deref(), Some("a record is not a JSON object: [1]"));
        assert!(description(b"\0\0\x01\x86\xa2{\"a\":1}").ends_with("before JSON"));
        assert!(description(b"\0\0\x01\x86\xa1\x04e0").contains("Avro"));
        assert_eq!(description(b"\xff\xfe"), "a record is not text");
    }
}
