//! Goes once through a text that has to be whole, as a file of a snapshot has: counts its records, hashes every byte of
//! it, and says why it is not whole, as far as that shows. `pass` does the same for files that grow: it ends where they
//! are damaged.

use super::newest::Taken;
use super::pass::RECORD_BYTES_MAX;
use crate::sources::formats::{Count, Counter, Ends, RecordHash, Start, TextFormat};

/// A text that arrives in chunks.
pub(super) struct WholeText<'a> {
    format: &'a dyn TextFormat,
    counter: Box<dyn Counter>,
    ends: Box<dyn Ends>,
    hash: RecordHash,
    length: u64,
    /// What follows the last end of a record.
    rest: Vec<u8>,
    has_ended: bool,
}

/// What was found in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub count: Count,
    /// Its bytes.
    pub length: u64,
    /// A hash of all of them.
    pub hash: i64,
}

impl<'a> WholeText<'a> {
    /// A text of this format, from its beginning.
    pub fn new(format: &'a dyn TextFormat) -> Self {
        Self {
            format,
            counter: format.counter(Start::default()),
            ends: format.ends(),
            hash: RecordHash::default(),
            length: 0,
            rest: vec![],
            has_ended: false,
        }
    }

    /// Adds the bytes that follow.
    pub fn add(&mut self, chunk: &[u8]) -> Taken<()> {
        self.counter.update(chunk);
        self.hash.update(chunk);
        self.length += chunk.len() as u64;
        match self.ends.last_end(chunk) {
            Some(end) => {
                self.rest.clear();
                self.rest.extend_from_slice(&chunk[end..]);
                self.has_ended = true;
            }
            None => self.rest.extend_from_slice(chunk),
        }
        if self.rest.len() > RECORD_BYTES_MAX {
            return Err(format!("a record is longer than {} MiB", RECORD_BYTES_MAX >> 20));
        }
        Ok(())
    }

    /// Ends the text, which needs no line break at its end.
    pub fn end(mut self) -> Taken<Found> {
        if self.format.has_head() && !self.has_ended {
            return Err("its header does not end with a line break".to_owned());
        }
        if self.ends.is_open() || self.format.is_cut_off(&self.rest) {
            return Err("its last record is unterminated".to_owned());
        }
        self.counter.end();
        match self.counter.refused() {
            Some(reason) => Err(reason),
            None => Ok(Found {
                count: self.counter.count(),
                length: self.length,
                hash: self.hash.value(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::formats::{FormatOptions, Layout, format};

    /// How many records a text has in a format, in pieces of any size.
    fn records(name: &str, text: &str) -> Taken<u64> {
        let format = format(name, &FormatOptions::default()).unwrap().unwrap();
        let Layout::Text(format) = format.layout() else {
            panic!("{name} is a format of tables");
        };
        let in_pieces = |size: usize| {
            let mut whole = WholeText::new(format);
            for chunk in text.as_bytes().chunks(size) {
                whole.add(chunk)?;
            }
            whole.end().map(|found| found.count.records)
        };
        let found = in_pieces(1);
        assert_eq!(found, in_pieces(text.len().max(1)), "{text}");
        found
    }

    #[test]
    fn a_whole_text_is_taken_with_its_last_record_and_may_have_none() {
        for (name, text, expected) in [
            ("csv", "a,b\n1,2\n3,4", 2),
            ("csv", "a,b\n", 0),
            ("json", "[]", 0),
            ("json", "[\n {\"a\": 1},\n {\"a\": 2}\n]\n", 2),
            ("json", "{\"a\":1}{\"a\":2}", 2),
            ("ndjson", "{\"a\":1}\n{\"a\":2}", 2),
            ("ndjson", "1\n12", 2),
            ("ndjson", "\n", 0),
            ("text", "one\ntwo", 2),
        ] {
            assert_eq!(records(name, text), Ok(expected), "{name}: {text}");
        }
    }

    #[test]
    fn a_text_that_was_cut_off_is_not_taken() {
        for (name, text) in [
            ("csv", "a,b\n1,\"2"),
            ("csv", "a,b"),
            ("csv", "\n"),
            ("csv", "1,2\n3,4\n"),
            ("json", "[{\"a\":1},"),
            ("json", "[{\"a\":1},{\"a\":"),
            ("ndjson", "{\"a\":1}\n{\"a\":"),
        ] {
            assert!(records(name, text).is_err(), "{name}: {text}");
        }
    }
}
