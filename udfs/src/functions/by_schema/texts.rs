//! The values of a batch as JSON texts, which `from_json` then reads.

use std::borrow::Cow;
use std::ops::Range;

use crate::functions::from_json::Fault;

/// A text for each row, or why there is none.
pub(in crate::functions) struct Texts {
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

    /// Adds the text of a row, which `write` appends to what it receives; or the reason why there is none.
    pub fn write(&mut self, row: usize, write: impl FnOnce(&mut Vec<u8>) -> Result<(), Cow<'static, str>>) {
        let start = self.json.len();
        self.rows[row] = match write(&mut self.json) {
            Ok(()) => Text::At(start..self.json.len()),
            Err(reason) => {
                self.json.truncate(start);
                Text::Missing(reason)
            }
        };
    }

    /// The texts of some rows, or their faults.
    pub fn of<'t>(&'t self, rows: &'t [usize]) -> impl ExactSizeIterator<Item = Result<&'t str, Fault<'t>>> {
        rows.iter().map(|row| match &self.rows[*row] {
            Text::At(range) => {
                std::str::from_utf8(&self.json[range.clone()]).map_err(|_| Fault::without_value("not UTF-8"))
            }
            Text::Missing(reason) => Err(Fault::without_value(reason.clone())),
        })
    }
}
