//! `expect:` as written.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::raw::{OrderedMap, Text};

/// One expectation: `sql/expect/file.sql`, or a mapping with one kind of check.
#[derive(Debug)]
pub(super) struct RawExpectation(pub RawCheck);

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCheck {
    pub name: Option<Text>,
    pub severity: Option<Text>,
    pub sql: Option<String>,
    pub not_null: Option<Vec<String>>,
    pub unique: Option<Vec<String>>,
    pub accepted_values: Option<OrderedMap<Vec<RawValue>>>,
    pub range: Option<OrderedMap<RawRange>>,
    pub references: Option<OrderedMap<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRange {
    pub min: Option<RawValue>,
    pub max: Option<RawValue>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum RawValue {
    Switch(bool),
    Integer(i64),
    Float(f64),
    Text(String),
}

/// By hand, as an untagged enum would not say which key is unknown.
impl<'de> Deserialize<'de> for RawExpectation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = RawExpectation;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an SQL file or a mapping like { not_null: [item_id] }")
            }

            fn visit_str<E>(self, file: &str) -> Result<Self::Value, E> {
                Ok(RawExpectation(RawCheck {
                    sql: Some(file.to_owned()),
                    ..RawCheck::default()
                }))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                RawCheck::deserialize(MapAccessDeserializer::new(map)).map(RawExpectation)
            }
        }

        deserializer.deserialize_any(Either)
    }
}
