//! Where the newest event of each session ID is, as the shop gave it, among the clicks in memory
//! (`src/serve/clicks.rs`). The session of this event is the one that a shop means when it asks with its own ID.
//!
//! IDs are stored as hashes: 40 bytes each. An ID keeps its time when its newest event leaves memory, so that no late,
//! older event passes for the newest one.

use std::collections::HashMap;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use datafusion::error::DataFusionError;
use twox_hash::XxHash64;

use crate::recommender::{GIVEN_SESSION_ID, texts};

/// The location of a row: its batch, counted from the very first one, and the row in it.
pub(super) type Place = (usize, usize);

/// Identifies a session by hash, where storing IDs would take too much memory.
pub(super) fn hash(session: &str) -> u64 {
    XxHash64::oneshot(0, session.as_bytes())
}

/// The newest event of each ID.
#[derive(Debug, Default)]
pub(super) struct NewestParts {
    /// The time of the newest event in microseconds since 1970, and where it is, by the hash of the ID.
    by_id: HashMap<u64, (i64, Place)>,
    /// All events since then were or will be added; of older ones, nobody knows whether they are the newest.
    since_us: i64,
    /// How many IDs have lost their newest event.
    forgotten: usize,
}

impl NewestParts {
    pub fn since(since_us: Option<i64>) -> Self {
        Self {
            since_us: since_us.unwrap_or(i64::MIN),
            ..Self::default()
        }
    }

    /// Adds the rows of a batch. Does nothing if the table has no column for given IDs or for times.
    pub fn add(&mut self, batch: usize, events: &RecordBatch) -> Result<(), DataFusionError> {
        let (Some(_), Some(at)) = (
            events.column_by_name(GIVEN_SESSION_ID),
            events.column_by_name("event_at"),
        ) else {
            return Ok(());
        };
        let given = texts(events, GIVEN_SESSION_ID)?;
        let Ok(at) = cast(at, &DataType::Timestamp(TimeUnit::Microsecond, None)) else {
            return Ok(());
        };
        let at = at.as_primitive::<TimestampMicrosecondType>();
        for (row, (given, at_us)) in given.iter().zip(at).enumerate() {
            let (Some(given), Some(at_us)) = (given, at_us) else {
                continue;
            };
            if at_us < self.since_us {
                continue;
            }
            // An event that is written again comes later, and at the same time.
            let newest = self.by_id.entry(hash(given)).or_insert((at_us, (batch, row)));
            if at_us >= newest.0 {
                *newest = (at_us, (batch, row));
            }
        }
        Ok(())
    }

    /// Where the newest event of an ID is, or was.
    pub fn of(&self, given: &str) -> Option<Place> {
        self.by_id.get(&hash(given)).map(|(_, place)| *place)
    }

    /// Takes note that all batches before this one have left memory.
    pub fn forget(&mut self, first: usize) {
        let lost = self.by_id.values().filter(|(_, (batch, _))| *batch < first);
        self.forgotten = lost.count();
    }

    /// The number of IDs whose newest event has left memory.
    pub fn forgotten(&self) -> usize {
        self.forgotten
    }
}
