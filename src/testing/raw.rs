//! A test file as written.

use std::fmt;
use std::marker::PhantomData;
use std::path::Path;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_yaml::{Location, Spanned};

use crate::config::{ConfigError, yaml_problem};

/// Text with its location.
pub(super) type Text = Spanned<String>;

/// Line and column, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct At(pub u64, pub u64);

impl From<Location> for At {
    fn from(location: Location) -> Self {
        Self(location.line(), location.column())
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFile {
    pub tests: Vec<Spanned<RawTest>>,
    /// Rows and parts of rows for tests to reuse (`&NAME` here, `*NAME` or `<<: *NAME` there).
    #[serde(default, rename = "shared")]
    pub _shared: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTest {
    pub name: Text,
    pub step: Text,
    #[serde(default)]
    pub vars: Entries<Text>,
    #[serde(default)]
    pub versions: Entries<Spanned<u64>>,
    #[serde(default)]
    pub given: Entries<RawRows>,
    pub cte: Option<Text>,
    pub ordered: Option<Spanned<bool>>,
    pub expect: Option<Spanned<RawRows>>,
    pub expect_table: Option<Spanned<RawRows>>,
    #[serde(default)]
    pub batches: Vec<Spanned<RawBatch>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawBatch {
    #[serde(default)]
    pub given: Entries<RawRows>,
    pub expect: Option<Spanned<RawRows>>,
    pub expect_table: Option<Spanned<RawRows>>,
}

/// Rows in the test file itself, or in a separate file.
#[derive(Debug)]
pub(super) enum RawRows {
    Inline(Vec<Row>),
    Beside(Beside),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Beside {
    pub file: Text,
}

/// The values given in a row.
#[derive(Debug, Clone)]
pub(super) struct Row(pub Vec<(Key, Cell)>);

/// The name of a column or input, with its location.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub at: At,
    pub name: String,
}

/// A value with its location.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    pub at: At,
    pub value: Value,
}

/// A value as in YAML, JSON and CSV.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Null,
    Flag(bool),
    Number(String),
    Text(String),
    List(Vec<Cell>),
    Map(Vec<(Key, Cell)>),
}

/// A mapping that keeps the order of the file.
#[derive(Debug)]
pub(super) struct Entries<T>(pub Vec<(Key, T)>);

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self(vec![])
    }
}

/// Parses a test file. Returns its first error, with its location and the nearest known key.
pub(super) fn parse(file: &Path, text: &str) -> Result<RawFile, ConfigError> {
    from_yaml(file, text)
}

/// Parses a row of an NDJSON file, which is on line `line`.
pub(super) fn parse_row(file: &Path, line: u64, text: &str) -> Result<Row, ConfigError> {
    let mut row: Row = from_yaml(file, text).map_err(|mut error| {
        for problem in &mut error.problems {
            problem.at = Some((line, problem.at.map_or(1, |(_, column)| column)));
        }
        error
    })?;
    row.0.iter_mut().for_each(|(key, cell)| {
        key.at.0 = line;
        cell.move_to(line);
    });
    Ok(row)
}

fn from_yaml<'de, T: Deserialize<'de>>(file: &Path, text: &'de str) -> Result<T, ConfigError> {
    let options = serde_yaml::options! {
        // `no` and `on` are plain words here.
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
    };
    serde_yaml::from_str_with_options(text, options).map_err(|error| ConfigError {
        file: file.to_owned(),
        problems: vec![yaml_problem(error.without_snippet())],
    })
}

impl Cell {
    /// Moves the cell to line `line`: each line of JSON was parsed separately.
    fn move_to(&mut self, line: u64) {
        self.at.0 = line;
        match &mut self.value {
            Value::List(items) => items.iter_mut().for_each(|item| item.move_to(line)),
            Value::Map(entries) => entries.iter_mut().for_each(|(key, cell)| {
                key.at.0 = line;
                cell.move_to(line);
            }),
            _ => {}
        }
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Spanned::<Value>::deserialize(deserializer)?;
        Ok(Self {
            at: value.referenced.into(),
            value: value.value,
        })
    }
}

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Entries::deserialize(deserializer).map(|entries| Self(entries.0))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor(PhantomData))
    }
}

struct EntriesVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for EntriesVisitor<T> {
    type Value = Entries<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        entries(map).map(Entries)
    }
}

fn entries<'de, T: Deserialize<'de>, A: MapAccess<'de>>(mut map: A) -> Result<Vec<(Key, T)>, A::Error> {
    let mut entries = vec![];
    while let Some((key, value)) = map.next_entry::<Text, T>()? {
        let at = key.referenced.into();
        entries.push((Key { at, name: key.value }, value));
    }
    Ok(entries)
}

impl<'de> Deserialize<'de> for RawRows {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RowsVisitor)
    }
}

struct RowsVisitor;

impl<'de> Visitor<'de> for RowsVisitor {
    type Value = RawRows;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of rows, or `file: NAME`")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<RawRows, A::Error> {
        let mut rows = vec![];
        while let Some(row) = seq.next_element()? {
            rows.push(row);
        }
        Ok(RawRows::Inline(rows))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawRows, A::Error> {
        Beside::deserialize(MapAccessDeserializer::new(map)).map(RawRows::Beside)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Flag(flag))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number.to_string()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number.to_string()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Number(number.to_string()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = vec![];
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
        entries(map).map(Value::Map)
    }
}
