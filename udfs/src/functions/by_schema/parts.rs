//! Puts the rows of a batch together: those that a format decoded directly, schema by schema, and the others, which
//! are read from texts.

use datafusion::arrow::array::{Array, ArrayRef, StructArray};
use datafusion::arrow::compute::interleave;
use datafusion::common::Result;

use super::body::Body;
use super::texts::Texts;
use crate::functions::from_json::{Declared, parse_texts};

/// The rows of a batch that need no texts.
pub(super) struct Parts {
    parts: Vec<StructArray>,
    /// Of each row: its part, and its place there.
    places: Vec<Option<(usize, usize)>>,
}

impl Parts {
    /// For so many rows, none of which is there yet.
    pub fn new(rows: usize) -> Self {
        Self {
            parts: vec![],
            places: vec![None; rows],
        }
    }

    /// Adds the rows of values that were decoded together.
    pub fn add(&mut self, bodies: &[Body<'_>], part: StructArray) {
        for (place, body) in bodies.iter().enumerate() {
            self.places[body.row] = Some((self.parts.len(), place));
        }
        self.parts.push(part);
    }

    /// All rows in order; those that are not there are read from their texts.
    pub fn finish(mut self, texts: &Texts, declared: &Declared<'_>) -> Result<StructArray> {
        let rows = 0..self.places.len();
        let missing: Vec<usize> = rows.filter(|row| self.places[*row].is_none()).collect();
        // Values of one part are in order.
        if missing.is_empty() && self.parts.len() == 1 {
            return Ok(self.parts.remove(0));
        }
        let read = parse_texts(texts.of(&missing), declared)?;
        if self.parts.is_empty() {
            return Ok(read);
        }
        for (place, row) in missing.into_iter().enumerate() {
            self.places[row] = Some((self.parts.len(), place));
        }
        self.parts.push(read);
        let places: Vec<(usize, usize)> = self.places.iter().copied().flatten().collect();
        let column = |column: usize| -> Result<ArrayRef> {
            let parts = self.parts.iter().map(|part| part.column(column) as &dyn Array);
            Ok(interleave(&parts.collect::<Vec<_>>(), &places)?)
        };
        let columns = (0..declared.fields.len()).map(column).collect::<Result<_>>()?;
        Ok(StructArray::try_new(declared.fields.clone(), columns, None)?)
    }
}
