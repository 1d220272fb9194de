//! Rows of a table as JSON objects, for records that arrive as tables: rows of files, Avro messages.
//!
//! A missing value is left out of its object, but is `null` in a list. Numbers keep all digits; NaN and infinity are
//! `null`, because JSON has neither. Times are ISO 8601 texts. Bytes are text if they are UTF-8, and hexadecimal digits
//! otherwise and if their number is fixed, but for UUIDs.

mod times;

use std::io::Write as _;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayAccessor, AsArray, FixedSizeBinaryArray, RecordBatch, StructArray, UnionArray,
};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::json::writer::{NullableEncoder, make_encoder};
use datafusion::arrow::json::{Encoder, EncoderFactory, EncoderOptions};

use times::Times;

/// Calls `take` with the object of each row, from the given one on, until it returns `false`. Returns how many rows it
/// took.
///
/// # Errors
/// When a column has no JSON values.
pub fn each_row(batch: &RecordBatch, from: usize, mut take: impl FnMut(&[u8]) -> bool) -> Result<usize, ArrowError> {
    let table = StructArray::from(batch.clone());
    let (field, options) = (row_field(&table), options());
    let mut encoder = make_encoder(&field, &table, &options)?;
    let mut object = vec![];
    for row in from..table.len() {
        object.clear();
        encoder.encode(row, &mut object);
        if !take(&object) {
            return Ok(row + 1 - from);
        }
    }
    Ok(table.len().saturating_sub(from))
}

/// Checks that [`each_row`] can write these rows.
///
/// # Errors
/// When a column has no JSON values.
pub fn check_rows(batch: &RecordBatch) -> Result<(), ArrowError> {
    let table = StructArray::from(batch.clone());
    make_encoder(&row_field(&table), &table, &options()).map(drop)
}

fn row_field(table: &StructArray) -> FieldRef {
    Arc::new(Field::new("row", table.data_type().clone(), false))
}

fn options() -> EncoderOptions {
    EncoderOptions::default().with_encoder_factory(Arc::new(Encoders))
}

/// Encoders for what arrow-json writes otherwise, or not at all.
#[derive(Debug)]
struct Encoders;

impl EncoderFactory for Encoders {
    fn make_default_encoder<'a>(
        &self,
        field: &'a FieldRef,
        array: &'a dyn Array,
        options: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        let encoder: Box<dyn Encoder + 'a> = match array.data_type() {
            DataType::Binary => Box::new(Bytes(array.as_binary::<i32>())),
            DataType::LargeBinary => Box::new(Bytes(array.as_binary::<i64>())),
            DataType::BinaryView => Box::new(Bytes(array.as_binary_view())),
            DataType::FixedSizeBinary(16) if is_uuid(field) => Box::new(Uuid(array.as_fixed_size_binary())),
            DataType::Dictionary(..) => match Chosen::new(field, array, options)? {
                Some(chosen) => Box::new(chosen),
                None => return Ok(None),
            },
            DataType::Timestamp(..) => match Times::new(field, array)? {
                Some(times) => Box::new(times),
                None => return Ok(None),
            },
            DataType::Union(..) => Box::new(OneOf::new(array.as_union(), options)?),
            _ => return Ok(None),
        };
        Ok(Some(NullableEncoder::new(encoder, array.logical_nulls())))
    }
}

/// Whether 16 bytes are a UUID, as Avro or Arrow says.
fn is_uuid(field: &Field) -> bool {
    let is = |key: &str, value: &str| field.metadata().get(key).is_some_and(|known| known == value);
    is("logicalType", "uuid") || is("ARROW:extension:name", "arrow.uuid")
}

struct Bytes<A>(A);

impl<'a, A: ArrayAccessor<Item = &'a [u8]>> Encoder for Bytes<A> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        write_bytes(self.0.value(row), out);
    }
}

/// Appends bytes as a JSON string: text if they are UTF-8, and hexadecimal digits otherwise.
pub(crate) fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        // Writing to a vector does not fail.
        _ = serde_json::to_writer(out, text);
        return;
    }
    out.push(b'"');
    push_hexadecimal(bytes, out);
    out.push(b'"');
}

struct Uuid<'a>(&'a FixedSizeBinaryArray);

impl Encoder for Uuid<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        let bytes = self.0.value(row);
        for (part, before) in [(0..4, b'"'), (4..6, b'-'), (6..8, b'-'), (8..10, b'-'), (10..16, b'-')] {
            out.push(before);
            push_hexadecimal(&bytes[part], out);
        }
        out.push(b'"');
    }
}

fn push_hexadecimal(bytes: &[u8], out: &mut Vec<u8>) {
    for byte in bytes {
        // Writing to a vector does not fail.
        _ = write!(out, "{byte:02x}");
    }
}

/// A dictionary with a missing value, which arrow-json would write as another one.
struct Chosen<'a> {
    keys: Vec<usize>,
    values: NullableEncoder<'a>,
}

impl<'a> Chosen<'a> {
    fn new(field: &'a FieldRef, array: &'a dyn Array, options: &'a EncoderOptions) -> Result<Option<Self>, ArrowError> {
        let dictionary = array.as_any_dictionary();
        let values = dictionary.values();
        if values.null_count() == 0 {
            return Ok(None);
        }
        Ok(Some(Self {
            keys: dictionary.normalized_keys(),
            values: make_encoder(field, values.as_ref(), options)?,
        }))
    }
}

impl Encoder for Chosen<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        self.values.encode(self.keys[row], out);
    }
}

/// A value of one of several types.
struct OneOf<'a> {
    union: &'a UnionArray,
    /// By the type's ID.
    types: Vec<(i8, NullableEncoder<'a>)>,
}

impl<'a> OneOf<'a> {
    fn new(union: &'a UnionArray, options: &'a EncoderOptions) -> Result<Self, ArrowError> {
        let mut types = vec![];
        for (id, field) in union.fields().iter() {
            types.push((id, make_encoder(field, union.child(id).as_ref(), options)?));
        }
        Ok(Self { union, types })
    }
}

impl Encoder for OneOf<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        let (id, value) = (self.union.type_id(row), self.union.value_offset(row));
        match self.types.iter_mut().find(|(known, _)| *known == id) {
            Some((_, encoder)) if !encoder.is_null(value) => encoder.encode(value, out),
            _ => out.extend_from_slice(b"null"),
        }
    }
}

#[cfg(test)]
mod tests;
