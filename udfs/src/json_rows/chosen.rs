//! Values of dictionaries, which arrow-json would write as other ones where the dictionary has a missing value. Each is
//! written once for a batch, and copied from then on.

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::FieldRef;
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::json::writer::{NullableEncoder, make_encoder};
use datafusion::arrow::json::{Encoder, EncoderOptions};

/// A column of values of a dictionary.
pub(super) struct Chosen<'a> {
    keys: Vec<usize>,
    values: Values<'a>,
}

/// The values of a dictionary.
enum Values<'a> {
    /// As JSON, one after another, and where each ends.
    Written { texts: Vec<u8>, ends: Vec<usize> },
    /// More than there are rows.
    Many(NullableEncoder<'a>),
}

impl<'a> Chosen<'a> {
    /// `None` for a dictionary without values.
    ///
    /// # Errors
    /// When its values have no JSON values.
    pub fn new(
        field: &'a FieldRef,
        array: &'a dyn Array,
        options: &'a EncoderOptions,
    ) -> Result<Option<Self>, ArrowError> {
        let dictionary = array.as_any_dictionary();
        let values = dictionary.values();
        if values.is_empty() {
            return Ok(None);
        }
        let encoder = make_encoder(field, values.as_ref(), options)?;
        let values = match values.len() <= array.len() {
            true => written(encoder, values.len()),
            false => Values::Many(encoder),
        };
        let keys = dictionary.normalized_keys();
        Ok(Some(Self { keys, values }))
    }
}

fn written(mut encoder: NullableEncoder<'_>, values: usize) -> Values<'_> {
    let (mut texts, mut ends) = (vec![], Vec::with_capacity(values));
    for value in 0..values {
        // No row has a missing value: such a row is missing itself.
        if !encoder.is_null(value) {
            encoder.encode(value, &mut texts);
        }
        ends.push(texts.len());
    }
    Values::Written { texts, ends }
}

impl Encoder for Chosen<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        let key = self.keys[row];
        match &mut self.values {
            Values::Written { texts, ends } => {
                let start = key.checked_sub(1).map_or(0, |before| ends[before]);
                out.extend_from_slice(&texts[start..ends[key]]);
            }
            Values::Many(encoder) => encoder.encode(key, out),
        }
    }
}
