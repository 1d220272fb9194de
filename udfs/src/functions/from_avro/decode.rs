//! Decodes Avro records of one schema into tables.
//!
//! `arrow-avro` decodes the records of a batch together. It takes back nothing that a broken record has left in its
//! builders. So if the records cannot be decoded together, each half of them is by itself, down to the broken ones.

use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow_avro::reader::{Decoder, ReaderBuilder};
use arrow_avro::schema::{AvroSchema, Fingerprint, FingerprintAlgorithm, SchemaStore};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::error::ArrowError;

use crate::json_rows::check_rows;

/// The decoder expects the ID of a schema before each record, and after a record takes an ID for the next one. This ID
/// stands in no data.
const SCHEMA_ID: u64 = 0x9d3c_51f0_27ab_e684;
/// The ID as the decoder reads it.
const MARK: [u8; 9] = {
    let [a, b, c, d, e, f, g, h] = SCHEMA_ID.to_be_bytes();
    [0, a, b, c, d, e, f, g, h]
};

/// A record, and its row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Body<'a> {
    pub row: usize,
    pub bytes: &'a [u8],
}

/// Checks that records of a schema can be decoded, and have JSON values.
///
/// # Errors
/// Why not.
pub fn check_avro_schema(schema: &str) -> Result<(), ArrowError> {
    let decoder = decoder(schema, 1)?;
    check_rows(&RecordBatch::new_empty(decoder.schema()))
}

/// Calls `take` with records that were decoded together, and their table; a broken record comes alone, and without one.
pub(super) fn each_batch<'b, 'a>(
    schema: &str,
    bodies: &'b [Body<'a>],
    take: &mut impl FnMut(&'b [Body<'a>], Option<RecordBatch>) -> Result<(), ArrowError>,
) -> Result<(), ArrowError> {
    if bodies.is_empty() {
        return Ok(());
    }
    let table = together(schema, bodies);
    if table.is_some() || bodies.len() == 1 {
        return take(bodies, table);
    }
    let (first, second) = bodies.split_at(bodies.len() / 2);
    each_batch(schema, first, take)?;
    each_batch(schema, second, take)
}

/// The table of some records; `None` if one of them is broken.
fn together(schema: &str, bodies: &[Body<'_>]) -> Option<RecordBatch> {
    let decode = || {
        let mut decoder = decoder(schema, bodies.len()).ok()?;
        bodies.iter().try_for_each(|body| append(&mut decoder, body.bytes))?;
        let table = decoder.flush().ok()??;
        (table.num_rows() == bodies.len()).then_some(table)
    };
    // Libraries may panic on damaged data.
    catch_unwind(AssertUnwindSafe(decode)).ok().flatten()
}

fn decoder(schema: &str, rows: usize) -> Result<Decoder, ArrowError> {
    let mut store = SchemaStore::new_with_type(FingerprintAlgorithm::Id64);
    store.set(Fingerprint::Id64(SCHEMA_ID), AvroSchema::new(schema.to_owned()))?;
    ReaderBuilder::new()
        .with_batch_size(rows)
        .with_writer_schema_store(store)
        .build_decoder()
}

/// Adds a record; `None` if it is not exactly one.
fn append(decoder: &mut Decoder, record: &[u8]) -> Option<()> {
    let free = decoder.capacity();
    let is_marked = decoder.decode(&MARK).ok()? == MARK.len();
    let is_read = decoder.decode(record).ok()? == record.len();
    (is_marked && is_read && decoder.capacity() + 1 == free).then_some(())
}
