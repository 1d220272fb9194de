//! The records of a batch as JSON texts, which `from_json` then reads.

use std::borrow::Cow;
use std::ops::Range;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::error::ArrowError;

use super::decode::{Body, each_batch};
use crate::functions::from_json::Fault;
use crate::json_rows::each_row;

/// A text for each row, or why there is none.
pub(super) struct Texts {
    /// All texts.
    json: Vec<u8>,
    rows: Vec<Text>,
}

#[derive(Clone)]
enum Text {
    /// Where it is.
    At(Range<usize>),
    Missing(Cow<'static, str>),
}

impl Texts {
    /// For so many rows, without any text yet.
    pub fn new(rows: usize) -> Self {
        Self {
            json: vec![],
            rows: vec![Text::Missing("not decoded".into()); rows],
        }
    }

    /// Says why a row has no text.
    pub fn refuse(&mut self, row: usize, reason: impl Into<Cow<'static, str>>) {
        self.rows[row] = Text::Missing(reason.into());
    }

    /// Decodes records of one schema. `broken` is the reason for those that are none.
    ///
    /// # Errors
    /// When a type has no JSON values, which the check of the schema excludes.
    pub fn decode(&mut self, schema: &str, bodies: &[Body<'_>], broken: &str) -> Result<(), ArrowError> {
        let mut take = |bodies: &[Body<'_>], table: Option<RecordBatch>| -> Result<(), ArrowError> {
            let Some(table) = table else {
                bodies.iter().for_each(|body| self.refuse(body.row, broken.to_owned()));
                return Ok(());
            };
            let mut rows = bodies.iter().map(|body| body.row);
            each_row(&table, 0, |object| {
                let Some(row) = rows.next() else { return false };
                let start = self.json.len();
                self.json.extend_from_slice(object);
                self.rows[row] = Text::At(start..self.json.len());
                true
            })?;
            Ok(())
        };
        each_batch(schema, bodies, &mut take)
    }

    /// The text of each row, or its fault.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Result<&str, Fault<'_>>> {
        self.rows.iter().map(|text| match text {
            Text::At(range) => {
                std::str::from_utf8(&self.json[range.clone()]).map_err(|_| Fault::without_value("not UTF-8"))
            }
            Text::Missing(reason) => Err(Fault::without_value(reason.clone())),
        })
    }
}
