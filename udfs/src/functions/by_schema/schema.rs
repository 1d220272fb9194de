//! A schema of values, and the schemas that it refers to.

use std::sync::Arc;

use crate::functions::from_avro::{check_avro_schema, in_lined};
use crate::functions::from_protobuf::ProtobufSchema;

/// A schema with which values can be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schema {
    /// Avro: a JSON text that refers to no other one.
    Avro(Arc<str>),
    /// Protobuf.
    Protobuf(ProtobufSchema),
    /// A JSON Schema. `from_json` needs none.
    Json,
}

/// Another schema that a schema refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// How it refers to it: in Avro the full name of a type, in Protobuf the path of an import.
    pub name: String,
    /// Its text.
    pub schema: String,
}

impl Schema {
    /// The schema of a type (`AVRO`, `PROTOBUF` or `JSON`) with this text. In `references`, a schema comes after those
    /// that it refers to.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn registered(schema_type: &str, text: &str, references: &[Reference]) -> Result<Self, String> {
        match schema_type {
            "AVRO" if references.is_empty() => Self::avro(text),
            "AVRO" => Self::avro(&in_lined(
                text,
                references.iter().map(|reference| reference.schema.as_str()),
            )?),
            "PROTOBUF" => {
                let imported = references.iter().map(|reference| {
                    let Reference { name, schema } = reference;
                    (name.clone(), schema.clone())
                });
                Ok(Self::Protobuf(ProtobufSchema::registered(text, imported)?))
            }
            "JSON" => Ok(Self::Json),
            other => Err(format!("its type is {other}")),
        }
    }

    /// An Avro schema that refers to no other one.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn avro(text: &str) -> Result<Self, String> {
        check_avro_schema(text).map_err(|error| error.to_string())?;
        Ok(Self::Avro(text.into()))
    }

    /// The name of its type in a registry.
    pub fn schema_type(&self) -> &'static str {
        match self {
            Self::Avro(_) => "AVRO",
            Self::Protobuf(_) => "PROTOBUF",
            Self::Json => "JSON",
        }
    }

    /// The function that reads its values.
    pub(super) fn function(&self) -> &'static str {
        match self {
            Self::Avro(_) => "from_avro",
            Self::Protobuf(_) => "from_protobuf",
            Self::Json => "from_json",
        }
    }
}
