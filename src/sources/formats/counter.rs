//! Counts the records of a text before they are read, so that the positions to commit are known; their hash tells
//! whether the same are read later.

use std::hash::Hasher;

use twox_hash::XxHash64;

/// Where counting starts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Start {
    /// The offset in the text.
    pub at: u64,
    /// The text before it was read without a final line break: if one follows, it does not end a new line.
    pub continues: bool,
    /// How many lines from there on have been read already.
    pub skip: u64,
}

/// Counts the records of a text that arrives in chunks.
pub trait Counter: Send + Sync {
    /// Adds the bytes that follow.
    fn update(&mut self, text: &[u8]);

    /// Ends the last record, which needs no line break.
    fn end(&mut self);

    /// What was counted so far.
    fn count(&self) -> Count;

    /// Why the records cannot be read, if that shows in what precedes them.
    fn refused(&self) -> Option<String> {
        None
    }
}

/// Records that were counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// The offset in the text at which the first of them starts.
    pub start: u64,
    /// How many line numbers they use: empty lines have a number, but are not records.
    pub lines: u64,
    /// How many records there are.
    pub records: u64,
    /// The [`RecordHash`] of their bytes, from the start on.
    pub hash: i64,
}

impl Count {
    /// Rows of a table, or none.
    pub fn of_rows(rows: u64) -> Self {
        Self {
            start: 0,
            lines: rows,
            records: rows,
            hash: 0,
        }
    }
}

/// A hash of the bytes of records: the records read must be those that were counted.
#[derive(Clone)]
pub struct RecordHash(XxHash64);

impl Default for RecordHash {
    fn default() -> Self {
        Self(XxHash64::with_seed(0))
    }
}

impl RecordHash {
    /// Adds the bytes that follow.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    /// The hash so far.
    pub fn value(&self) -> i64 {
        (self.0.finish() >> 1).cast_signed()
    }
}
