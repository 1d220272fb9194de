//! Splits a row of a CSV file into its fields: at the delimiters if it has no quotes, and with a parser otherwise.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder, Terminator};

use super::dialect::Dialect;

/// Splits rows into fields.
#[derive(Debug)]
pub(super) struct Fields {
    dialect: Dialect,
    parser: Reader,
    text: Vec<u8>,
    /// Where each field ends in the text.
    ends: Vec<usize>,
    found: usize,
    /// How many bytes of the text are between two fields.
    between: usize,
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
            dialect,
            parser: parser.build(),
            text: vec![],
            ends: vec![],
            found: 0,
            between: 0,
        }
    }

    /// Splits a row without its line break. Returns whether that gave fields, and no more than `max`.
    pub fn split(&mut self, row: &[u8], max: usize) -> bool {
        match self.dialect.quote {
            Some(quote) if memchr::memchr(quote, row).is_some() => self.parse(row, max),
            _ => self.split_plain(row, max),
        }
    }

    /// The same for a row without quotes.
    fn split_plain(&mut self, row: &[u8], max: usize) -> bool {
        row.clone_into(&mut self.text);
        self.ends.clear();
        self.between = 1;
        let ends = memchr::memchr_iter(self.dialect.delimiter, row).chain([row.len()]);
        // One more end tells that there are too many.
        self.ends.extend(ends.take(max.saturating_add(1)));
        self.found = self.ends.len();
        !row.is_empty() && self.found <= max
    }

    /// The same for any row.
    fn parse(&mut self, row: &[u8], max: usize) -> bool {
        self.parser.reset();
        self.between = 0;
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
            let start = field
                .checked_sub(1)
                .map_or(0, |before| self.ends[before] + self.between);
            &self.text[start..self.ends[field]]
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::super::FormatOptions;
    use super::*;

    #[test]
    fn rows_without_quotes_have_the_fields_that_a_parser_finds() {
        let dialect = Dialect::new(&FormatOptions::default()).unwrap();
        let (mut plain, mut parsed) = (Fields::new(dialect), Fields::new(dialect));
        for row in [
            "a",
            "a,b",
            ",",
            "a,,c",
            "a,b,c,",
            " a , b ",
            "a\r,\\,b",
            "",
            "1,2,3,4,5",
        ] {
            let fits = plain.split(row.as_bytes(), 4);
            assert_eq!(fits, parsed.parse(row.as_bytes(), 4), "{row:?}");
            if fits {
                assert!(plain.iter().eq(parsed.iter()), "{row:?}");
            }
        }
    }
}
