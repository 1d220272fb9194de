//! Rows as JSON objects, without the properties whose values are missing. The columns that events consist of, texts and
//! times, are written without dynamic calls.

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StructArray};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::json::writer::{NullableEncoder, make_encoder};
use datafusion::arrow::json::{Encoder, EncoderOptions};

use super::text::{Texts, push_text};
use super::times::Times;

/// The rows of a table.
pub(super) struct Objects<'a>(Vec<Property<'a>>);

/// A column.
struct Property<'a> {
    /// A comma, the name and a colon.
    before: Vec<u8>,
    values: Values<'a>,
}

enum Values<'a> {
    Texts(Texts<'a, i32>, Option<NullBuffer>),
    Times(Times<'a>, Option<NullBuffer>),
    Others(NullableEncoder<'a>),
}

impl<'a> Objects<'a> {
    /// # Errors
    /// When a column has no JSON values.
    pub fn new(table: &'a StructArray, options: &'a EncoderOptions) -> Result<Self, ArrowError> {
        let columns = table.fields().iter().zip(table.columns());
        let properties = columns.map(|(field, column)| Property::new(field, column, options));
        properties.collect::<Result<_, _>>().map(Self)
    }
}

impl Encoder for Objects<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        let start = out.len();
        for property in &mut self.0 {
            property.write(row, out);
        }
        // A brace instead of the first comma.
        match out.get_mut(start) {
            Some(comma) => *comma = b'{',
            None => out.push(b'{'),
        }
        out.push(b'}');
    }
}

impl<'a> Property<'a> {
    fn new(field: &'a FieldRef, column: &'a ArrayRef, options: &'a EncoderOptions) -> Result<Self, ArrowError> {
        let mut before = vec![b','];
        push_text(field.name(), &mut before);
        before.push(b':');
        let times = match column.data_type() {
            DataType::Timestamp(..) => Times::new(field, column)?,
            _ => None,
        };
        let values = match (times, column.as_string_opt::<i32>()) {
            (Some(times), _) => Values::Times(times, column.nulls().cloned()),
            (_, Some(texts)) => Values::Texts(Texts::new(texts), column.nulls().cloned()),
            _ => Values::Others(make_encoder(field, column, options)?),
        };
        Ok(Self { before, values })
    }

    /// Appends a value with its name, unless it is missing.
    #[inline]
    fn write(&mut self, row: usize, out: &mut Vec<u8>) {
        if self.values.is_null(row) {
            return;
        }
        out.extend_from_slice(&self.before);
        match &mut self.values {
            Values::Texts(texts, _) => texts.encode(row, out),
            Values::Times(times, _) => times.encode(row, out),
            Values::Others(values) => values.encode(row, out),
        }
    }
}

impl Values<'_> {
    #[inline]
    fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Texts(_, nulls) | Self::Times(_, nulls) => nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)),
            Self::Others(values) => values.is_null(row),
        }
    }
}
