//! `expect` as written: `not_null`, `unique`, `accepted_values`, `range`, `references`, `sql`, `severity`. Unknown keys
//! and wrong types are refused here, and placed by `raw` (`problem`); `validate_expectation` refuses whatever else is
//! malformed.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::ordered_map::OrderedMap;
use crate::settings::Text;

/// One expectation: `sql/expect/file.sql`, or a mapping with one kind of check.
#[derive(Debug)]
pub(super) struct RawExpectation(pub RawCheck);

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCheck {
    /// The name of the expectation in messages.
    #[schemars(with = "Option<String>")]
    pub name: Option<Text>,
    /// What to do with rows that violate the expectation: `warn`, `quarantine` or `fail` (the default).
    #[schemars(with = "Option<String>", extend("enum" = ["warn", "quarantine", "fail", null]))]
    pub severity: Option<Text>,
    /// An SQL file with a query for the rows that violate the expectation.
    pub sql: Option<String>,
    /// Columns that must not be NULL.
    pub not_null: Option<Vec<String>>,
    /// Columns whose values must be unique in combination.
    pub unique: Option<Vec<String>>,
    /// The values that a column may have.
    #[schemars(with = "Option<BTreeMap<String, Vec<RawValue>>>")]
    pub accepted_values: Option<OrderedMap<Vec<RawValue>>>,
    /// The minimum and the maximum of a column.
    #[schemars(with = "Option<BTreeMap<String, RawRange>>")]
    pub range: Option<OrderedMap<RawRange>>,
    /// A column, and the `LAYER.TABLE.COLUMN` that must contain each of its values.
    #[schemars(with = "Option<BTreeMap<String, String>>")]
    pub references: Option<OrderedMap<String>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRange {
    /// The minimum.
    pub min: Option<RawValue>,
    /// The maximum.
    pub max: Option<RawValue>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum RawValue {
    Switch(bool),
    Integer(i64),
    Float(f64),
    Text(String),
}

impl JsonSchema for RawExpectation {
    fn schema_name() -> Cow<'static, str> {
        "Expectation".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let file = generator.subschema_for::<String>();
        let check = generator.subschema_for::<RawCheck>();
        json_schema!({ "anyOf": [file, check] })
    }
}

/// Written by hand, because an untagged enum would not say which key is unknown.
impl<'de> Deserialize<'de> for RawExpectation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = RawExpectation;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an SQL file, or a mapping like { not_null: [item_id] }")
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
