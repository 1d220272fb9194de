//! `from_avro(value, 'at timestamp, user_id string from $.user.id, …')`: decodes Avro records into typed columns, as
//! `by_schema` describes. The records of each schema are decoded into a table, whose rows become JSON texts.
//!
//! - `schema`: a schema's decoder; `in_lined`: schemas that refer to others.
//! - `decode`: decodes records of one schema.
//! - `direct`: takes columns as they were decoded, without JSON, where nothing else is needed.

mod decode;
mod direct;
mod in_lined;
mod schema;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use datafusion::arrow::array::{RecordBatch, StructArray};
use datafusion::arrow::error::ArrowError;
use datafusion::logical_expr::{Documentation, ScalarUDF};

use super::by_schema::{self, Body, DecodeFunction, Format, Schema, SourceSchemas, Texts};
use super::from_json::Declared;
use crate::json_rows::each_row;
use decode::each_batch;

pub(super) use in_lined::in_lined;
pub(super) use schema::check_avro_schema;
pub use schema::has_unions;

/// The function's name in SQL.
pub(super) const FROM_AVRO: &str = "from_avro";

/// The function, for sources with these schemas.
pub(super) fn from_avro(schemas: SourceSchemas) -> ScalarUDF {
    DecodeFunction::new(&Avro, schemas).into_udf()
}

/// The function's documentation.
pub(super) fn documentation() -> &'static Documentation {
    static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
        by_schema::documentation(
            "Decodes one Avro record per row, as from_json parses JSON: into a struct of the named columns, error \
             (NULL on success, otherwise the reason) and error_value. The schema is the one that the record was \
             written with: an ID names it in the source's `schema_registry`, or it is the source's `schema`. No row \
             makes the query fail, but a registry that does not answer does.",
            "from_avro(value[, headers], 'COLUMN TYPE, …'[, 'quarantine' | 'evolve'[, 'SOURCE']])",
            "select click['item_id'] from (select from_avro(value, 'item_id string') as click from changes('clicks'));",
        )
    });
    &DOCUMENTATION
}

/// Avro's binary records.
#[derive(Debug)]
struct Avro;

impl Format for Avro {
    fn function(&self) -> &'static str {
        FROM_AVRO
    }

    fn name(&self) -> &'static str {
        "Avro"
    }

    fn value(&self) -> &'static str {
        "record"
    }

    fn file_settings(&self) -> &'static str {
        "`schema: FILE.avsc`"
    }

    fn has_empty_values(&self) -> bool {
        false
    }

    fn decodes(&self, schema: &Schema) -> bool {
        matches!(schema, Schema::Avro(_))
    }

    fn columns(
        &self,
        schema: &Schema,
        bodies: &[Body<'_>],
        declared: &Declared<'_>,
    ) -> Result<Option<StructArray>, ArrowError> {
        match schema {
            Schema::Avro(schema) => direct::columns(schema, bodies, declared),
            _ => Ok(None),
        }
    }

    fn decode(&self, schema: &Schema, bodies: &[Body<'_>], broken: &str, texts: &mut Texts) -> Result<(), ArrowError> {
        let Schema::Avro(schema) = schema else { return Ok(()) };
        let mut take = |bodies: &[Body<'_>], table: Option<RecordBatch>| -> Result<(), ArrowError> {
            let Some(table) = table else {
                bodies.iter().for_each(|body| texts.refuse(body.row, broken.to_owned()));
                return Ok(());
            };
            let mut rows = bodies.iter().map(|body| body.row);
            each_row(&table, 0, |object| {
                let Some(row) = rows.next() else { return false };
                texts.write(row, |json| {
                    json.extend_from_slice(object);
                    Ok(())
                });
                true
            })?;
            Ok(())
        };
        each_batch(schema, bodies, &mut take)
    }
}
