//! Counts and reads records whose ends a type of its own finds.

use datafusion::error::Result;

use super::{Count, Counter, Ends, RecordHash, Rows, Splitter};

/// Counts and hashes records. Each has the number after the one before it.
pub(super) struct RecordCounter<E> {
    ends: E,
    start: u64,
    records: u64,
    hash: RecordHash,
}

impl<E: Ends> RecordCounter<E> {
    /// Records from this offset of the text on.
    pub fn new(ends: E, start: u64) -> Self {
        Self {
            ends,
            start,
            records: 0,
            hash: RecordHash::default(),
        }
    }

    /// Leaves out the next bytes, which precede the records.
    pub fn skip(&mut self, bytes: usize) {
        self.start += bytes as u64;
    }
}

impl<E: Ends> Counter for RecordCounter<E> {
    fn update(&mut self, mut text: &[u8]) {
        self.hash.update(text);
        while let Some(end) = self.ends.next_end(text) {
            self.records += 1;
            text = &text[end..];
        }
    }

    fn end(&mut self) {
        self.records += u64::from(self.ends.has_begun());
    }

    fn count(&self) -> Count {
        Count {
            start: self.start,
            lines: self.records,
            records: self.records,
            hash: self.hash.value(),
        }
    }
}

/// Turns the text of a record into its value.
pub(super) trait Convert: Send {
    /// Adds a record; one that is not `whole` was cut off. Returns `false` once no more are wanted.
    fn add(&mut self, record: &[u8], whole: bool, rows: &mut Rows) -> bool;
}

/// Reassembles records that span chunks.
pub(super) struct RecordSplitter<E, C> {
    ends: E,
    convert: C,
    begun: Vec<u8>,
}

impl<E: Ends, C: Convert> RecordSplitter<E, C> {
    pub fn new(ends: E, convert: C) -> Self {
        Self {
            ends,
            convert,
            begun: vec![],
        }
    }
}

impl<E: Ends, C: Convert> Splitter for RecordSplitter<E, C> {
    fn feed(&mut self, mut chunk: &[u8], rows: &mut Rows) -> Result<bool> {
        while let Some(end) = self.ends.next_end(chunk) {
            let (record, rest) = chunk.split_at(end);
            chunk = rest;
            let go_on = if self.begun.is_empty() {
                self.convert.add(record, true, rows)
            } else {
                self.begun.extend_from_slice(record);
                let go_on = self.convert.add(&self.begun, true, rows);
                self.begun.clear();
                go_on
            };
            if !go_on {
                return Ok(false);
            }
        }
        self.begun.extend_from_slice(chunk);
        Ok(true)
    }

    fn end(&mut self, rows: &mut Rows) -> Result<()> {
        if self.ends.has_begun() {
            let whole = self.ends.next_end(b"\n").is_some();
            self.convert.add(&self.begun, whole, rows);
        }
        self.begun.clear();
        Ok(())
    }
}
