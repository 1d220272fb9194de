//! An Avro schema: its decoder, and whether there can be one.

use arrow_avro::reader::{Decoder, ReaderBuilder};
use arrow_avro::schema::{AvroSchema, Fingerprint, FingerprintAlgorithm, SchemaStore};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::arrow::error::ArrowError;

use crate::json_rows::check_rows;

/// The decoder expects the ID of a schema before each record, and after a record takes an ID for the next one. This ID
/// occurs in no data.
const SCHEMA_ID: u64 = 0x9d3c_51f0_27ab_e684;
/// The ID as the decoder reads it.
pub(super) const MARK: [u8; 9] = {
    let [a, b, c, d, e, f, g, h] = SCHEMA_ID.to_be_bytes();
    [0, a, b, c, d, e, f, g, h]
};

/// Checks that records of a schema can be decoded, and have JSON values.
///
/// # Errors
/// Why not.
pub fn check_avro_schema(schema: &str) -> Result<(), ArrowError> {
    let decoder = decoder(schema, 1)?;
    check_rows(&RecordBatch::new_empty(decoder.schema()))
}

/// A decoder of up to so many records at a time.
pub(super) fn decoder(schema: &str, rows: usize) -> Result<Decoder, ArrowError> {
    let mut store = SchemaStore::new_with_type(FingerprintAlgorithm::Id64);
    store.set(Fingerprint::Id64(SCHEMA_ID), AvroSchema::new(schema.to_owned()))?;
    ReaderBuilder::new()
        .with_batch_size(rows)
        .with_writer_schema_store(store)
        .build_decoder()
}

/// Whether a table has unions. After the first table of a decoder, they would refer to values of that one (`arrow-avro`
/// 59.3), so another decoder has to make the next.
pub fn has_unions(table: &Schema) -> bool {
    let mut fields = table.flattened_fields().into_iter();
    fields.any(|field| matches!(field.data_type(), DataType::Union(..)))
}
