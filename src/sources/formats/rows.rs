//! Collects the records of files into batches, with their locations and times.

use arrow::array::RecordBatch;
use arrow::error::ArrowError;

use crate::sources::{RecordBatchBuilder, RecordRef};

/// Collects the records of files into batches, up to a limit.
///
/// A type instead of a trait, so that adding a record needs no dynamic call.
#[derive(Debug)]
pub struct Rows {
    batch: RecordBatchBuilder,
    left: usize,
    place: String,
    number: u64,
    found_us: i64,
}

impl Rows {
    /// Takes these columns, and at most the given number of records.
    pub fn new(projection: Option<&[usize]>, limit: Option<usize>) -> Self {
        Self {
            batch: RecordBatchBuilder::new(projection),
            left: limit.unwrap_or(usize::MAX),
            place: String::new(),
            number: 0,
            found_us: 0,
        }
    }

    /// The next records come from this file: its name in the records, the number of the first record, and when the
    /// source found it, in microseconds since 1970.
    pub fn begin(&mut self, place: &str, first: u64, found_us: i64) {
        place.clone_into(&mut self.place);
        (self.number, self.found_us) = (first, found_us);
    }

    /// Adds the next record; an empty one only uses up a number. Returns `false` once no more are wanted.
    #[inline]
    pub fn push(&mut self, value: &[u8]) -> bool {
        if !value.is_empty() && self.left > 0 {
            self.left -= 1;
            let record = RecordRef {
                topic: &self.place,
                partition: 0,
                offset: i64::try_from(self.number).unwrap_or(i64::MAX),
                timestamp: Some(self.found_us),
                key: None,
                value: Some(value),
            };
            self.batch.append(&record, |_| {});
        }
        self.number = self.number.saturating_add(1);
        self.left > 0
    }

    /// Whether more are wanted.
    pub fn are_wanted(&self) -> bool {
        self.left > 0
    }

    /// How many are in the current batch.
    pub fn len(&self) -> usize {
        self.batch.len()
    }

    /// Whether the current batch has none.
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    /// Whether the current batch should be taken.
    pub fn is_full(&self) -> bool {
        self.batch.is_full()
    }

    /// Takes the batch and starts a new one.
    ///
    /// # Errors
    /// When a column exceeds what Arrow can address.
    pub fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        self.batch.finish()
    }
}
