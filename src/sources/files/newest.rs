//! The newest state of a snapshot: the records of its files, or why it was not read. It is remembered, so that a state
//! that several ask for, or ask for again and again, is read once.

use std::sync::{Arc, Mutex, PoisonError};

use super::file_range::FileRange;

/// What was found, or why it was not read.
pub(super) type Taken<T> = Result<T, String>;

/// The records of a snapshot.
#[derive(Debug, Clone)]
pub(super) struct Content {
    /// Identifies them: every byte of every file, the names of the files, and how they are read.
    pub identity: i64,
    /// Where they are. When they were found is left open.
    pub ranges: Vec<FileRange>,
}

impl Content {
    /// How many records there are.
    pub fn records(&self) -> u64 {
        self.ranges.iter().map(|range| range.records).sum()
    }

    /// The records, found at this time.
    pub fn found(self, found_us: i64) -> Vec<FileRange> {
        let at = |range| FileRange { found_us, ..range };
        self.ranges.into_iter().map(at).collect()
    }
}

/// The newest state that was read, with the stamp of its files.
#[derive(Debug, Clone, Default)]
pub(super) struct Newest(Arc<Mutex<Option<Stamped>>>);

/// The stamp of the files, and their state.
type Stamped = (i64, Taken<Content>);

impl Newest {
    /// The state of the files with this stamp; `None` if it has to be read.
    pub fn get(&self, stamp: i64) -> Option<Taken<Content>> {
        let newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = newest.as_ref().filter(|(of, _)| *of == stamp && stamp != 0);
        known.map(|(_, taken)| taken.clone())
    }

    /// Remembers it instead of the one before.
    pub fn set(&self, stamp: i64, taken: Taken<Content>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((stamp, taken));
    }
}
