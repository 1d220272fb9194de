//! Splits a row of a CSV file into its fields.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder, Terminator};

use super::dialect::Dialect;

/// Splits rows into fields.
#[derive(Debug)]
pub(super) struct Fields {
    parser: Reader,
    text: Vec<u8>,
    /// Where each field ends in the text.
    ends: Vec<usize>,
    found: usize,
}

impl Fields {
    pub fn new(dialect: Dialect) -> Self {
        let mut parser = ReaderBuilder::new();
        parser
            .delimiter(dialect.delimiter)
            .quoting(dialect.quote.is_some())
            .escape(dialect.escape)
            .terminator(Terminator::Any(b'\n'));
        if let Some(quote) = dialect.quote {
            parser.quote(quote);
        }
        Self {
            parser: parser.build(),
            text: vec![],
            ends: vec![],
            found: 0,
        }
    }

    /// Splits a row without its line break. Returns whether that gave fields, and no more than `max`.
    pub fn split(&mut self, row: &[u8], max: usize) -> bool {
        self.parser.reset();
        // Fields are never longer than the row, and one more end tells that there are too many.
        self.text.resize(self.text.len().max(row.len() + 1), 0);
        self.ends.resize(self.ends.len().max(max.min(row.len() + 1) + 1), 0);
        let (mut read, mut written) = (0, 0);
        self.found = 0;
        loop {
            let (text, ends) = (&mut self.text[written..], &mut self.ends[self.found..]);
            let (result, bytes, copied, fields) = self.parser.read_record(&row[read..], text, ends);
            read += bytes;
            written += copied;
            self.found += fields;
            match result {
                // Without input, the parser ends the row.
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::Record => return read == row.len() && self.found <= max,
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull | ReadRecordResult::End => {
                    return false;
                }
            }
        }
    }

    /// The fields of the row, without quotes.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.found).map(move |field| {
            let start = field.checked_sub(1).map_or(0, |before| self.ends[before]);
            &self.text[start..self.ends[field]]
        })
    }
}
