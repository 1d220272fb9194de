//! `from_protobuf(value, 'at timestamp, user_id string from $.user.id, …')`: decodes Protobuf messages into typed
//! columns, as `by_schema` describes. A value begins with indexes that say which message of its schema's file it is
//! (they follow the ID in a header, if that is where the ID is). If a source names a file and a message of it, a value
//! has no such prefix.
//!
//! - `schema`: a schema compiled, and the message that a value is; `known`: files that clients know without a
//!   reference.
//! - `wire`: numbers in Protobuf's encoding; `nesting`: messages that nest too deep.
//! - `json`: a message as JSON; `decode`: a value as JSON.

mod decode;
mod json;
mod known;
mod nesting;
mod schema;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::LazyLock;

use datafusion::arrow::error::ArrowError;
use datafusion::logical_expr::{Documentation, ScalarUDF};

use super::by_schema::{self, Body, DecodeFunction, Format, Schema, SourceSchemas, Texts};
use decode::decode;

pub use schema::ProtobufSchema;

/// The function's name in SQL.
pub(super) const FROM_PROTOBUF: &str = "from_protobuf";

/// The function, for sources with these schemas.
pub(super) fn from_protobuf(schemas: SourceSchemas) -> ScalarUDF {
    DecodeFunction::new(&Protobuf, schemas).into_udf()
}

/// The function's documentation.
pub(super) fn documentation() -> &'static Documentation {
    static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
        by_schema::documentation(
            "Decodes one Protobuf message per row, as from_json parses JSON: into a struct of the named columns, error \
             (NULL on success, otherwise the reason) and error_value. The schema is the one that the message was \
             written with: an ID names it in the source's `schema_registry`, or it is the source's `schema` and \
             `message`. No row makes the query fail, but a registry that does not answer does.",
            "from_protobuf(value[, headers], 'COLUMN TYPE, …'[, 'quarantine' | 'evolve'[, 'SOURCE']])",
            "select click['item_id'] from (select from_protobuf(value, 'item_id string') as click from \
             changes('clicks'));",
        )
    });
    &DOCUMENTATION
}

/// Protobuf's binary messages.
#[derive(Debug)]
struct Protobuf;

impl Format for Protobuf {
    fn function(&self) -> &'static str {
        FROM_PROTOBUF
    }

    fn name(&self) -> &'static str {
        "Protobuf"
    }

    fn value(&self) -> &'static str {
        "message"
    }

    fn file_settings(&self) -> &'static str {
        "`schema: FILE.proto` with `message: NAME`"
    }

    fn has_empty_values(&self) -> bool {
        // A message of defaults.
        true
    }

    fn decodes(&self, schema: &Schema) -> bool {
        matches!(schema, Schema::Protobuf(_))
    }

    fn decode(&self, schema: &Schema, bodies: &[Body<'_>], broken: &str, texts: &mut Texts) -> Result<(), ArrowError> {
        let Schema::Protobuf(schema) = schema else {
            return Ok(());
        };
        for body in bodies {
            texts.write(body.row, |text| decode(schema, body, broken, text));
        }
        Ok(())
    }
}
