//! Rows of a table as JSON objects, for records that arrive as tables: rows of files, Avro messages.
//!
//! A missing value is left out of its object, but is `null` in a list. Numbers keep all digits; NaN and infinity are
//! `null`, because JSON has neither. Times are ISO 8601 texts. Bytes are text if they are UTF-8, and hexadecimal digits
//! otherwise and if their number is fixed, but for UUIDs.
//!
//! - `objects`: rows as objects; `text`, `times`, `chosen`: what most of their values are.
//! - Other values are written by arrow-json, or here, where it writes them otherwise.

mod chosen;
mod objects;
mod text;
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

use chosen::Chosen;
use objects::Objects;
use text::{Scattered, Texts, push_text};
use times::Times;

/// Calls `take` with the object of each row, from the given one on, until it returns `false`. Returns how many rows it
/// took.
///
/// # Errors
/// When a column has no JSON values.
pub fn each_row(batch: &RecordBatch, from: usize, mut take: impl FnMut(&[u8]) -> bool) -> Result<usize, ArrowError> {
    let (table, options) = (StructArray::from(batch.clone()), options());
    let mut objects = Objects::new(&table, &options)?;
    let mut object = vec![];
    for row in from..table.len() {
        object.clear();
        objects.encode(row, &mut object);
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
    // The types say it, without any row.
    let (table, options) = (StructArray::from(batch.slice(0, 0)), options());
    Objects::new(&table, &options).map(drop)
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
            DataType::Utf8 => Box::new(Texts::new(array.as_string::<i32>())),
            DataType::LargeUtf8 => Box::new(Texts::new(array.as_string::<i64>())),
            DataType::Utf8View => Box::new(Scattered(array.as_string_view())),
            DataType::Struct(_) => Box::new(Objects::new(array.as_struct(), options)?),
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
        return push_text(text, out);
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
