//! The keys of a join's build side, complete once all of its partitions have ended. With more than four million keys,
//! all files are read.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use datafusion::common::Result;
use tokio::sync::watch;
use xorf::{BinaryFuse8, Filter};

use super::filters::hash;

/// The maximum number of keys kept: with more, almost every file would hold one of them.
const KEYS_MAX: usize = 4 << 20;

/// The keys of a join's build side, known once every partition of that side has finished.
#[derive(Debug)]
pub struct KeySet {
    collected: Mutex<Collected>,
    known: watch::Sender<Known>,
}

/// The keys of the wanted rows.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// Hashes of the key column, as by [`super::filters::hashes`].
    pub hashes: Vec<u64>,
    /// The values of an additional date or time column, as by [`super::times::ticks`]; empty if there is no such
    /// column.
    pub times: Vec<i64>,
    /// A filter of the hashes, built once all are known: small enough for the CPU cache.
    filter: Option<BinaryFuse8>,
}

impl Keys {
    /// Sorts and deduplicates.
    fn complete(mut self) -> Self {
        self.hashes.sort_unstable();
        self.hashes.dedup();
        self.times.sort_unstable();
        self.times.dedup();
        self.filter = BinaryFuse8::try_from(&self.hashes).ok();
        self
    }

    /// The rows that may have one of the keys in a column: all that do, and about one in 256 of the others. Fewer rows
    /// then reach other threads and the join.
    pub fn rows(&self, batch: RecordBatch, column: usize) -> Result<RecordBatch> {
        match &self.filter {
            Some(filter) => {
                let wanted: BooleanArray = hash(batch.column(column))?
                    .iter()
                    .map(|hash| Some(filter.contains(hash)))
                    .collect();
                Ok(filter_record_batch(&batch, &wanted)?)
            }
            None => Ok(batch),
        }
    }
}

#[derive(Debug)]
struct Collected {
    keys: Keys,
    /// Partitions that have not finished yet.
    open: usize,
    /// Which partitions have started.
    started: Vec<bool>,
}

#[derive(Debug, Clone)]
enum Known {
    NotYet,
    All(Arc<Keys>),
    /// There were too many keys, or a partition stopped early: any key may be present.
    Nothing,
}

impl KeySet {
    /// A set for a build side with this many partitions.
    pub(super) fn new(partitions: usize) -> Self {
        Self {
            collected: Mutex::new(Collected {
                keys: Keys::default(),
                open: partitions,
                started: vec![false; partitions],
            }),
            known: watch::Sender::new(Known::NotYet),
        }
    }

    /// Marks a partition as started. A plan that runs a second time has other keys, so the set is then unknown.
    pub(super) fn start(&self, partition: usize) {
        let mut collected = self.collected.lock().unwrap_or_else(PoisonError::into_inner);
        match collected.started.get_mut(partition) {
            Some(started) if !*started => *started = true,
            _ => _ = self.known.send_replace(Known::Nothing),
        }
    }

    pub(super) fn add(&self, mut keys: Keys) {
        let mut collected = self.collected.lock().unwrap_or_else(PoisonError::into_inner);
        if collected.keys.hashes.len() + keys.hashes.len() > KEYS_MAX {
            self.known.send_replace(Known::Nothing);
            collected.keys = Keys::default();
        } else {
            collected.keys.hashes.append(&mut keys.hashes);
            collected.keys.times.append(&mut keys.times);
        }
    }

    /// Marks a partition as finished: it has delivered all its keys, or never will.
    pub(super) fn end(&self, complete: bool) {
        let mut collected = self.collected.lock().unwrap_or_else(PoisonError::into_inner);
        collected.open = collected.open.saturating_sub(1);
        let nothing = !complete || matches!(*self.known.borrow(), Known::Nothing);
        if nothing {
            self.known.send_replace(Known::Nothing);
        } else if collected.open == 0 {
            let keys = std::mem::take(&mut collected.keys).complete();
            self.known.send_replace(Known::All(Arc::new(keys)));
        }
    }

    /// Waits for all keys; `None` if they cannot be known.
    pub(super) async fn all(&self) -> Option<Arc<Keys>> {
        let mut known = self.known.subscribe();
        let known = known.wait_for(|known| !matches!(known, Known::NotYet)).await;
        match known.as_deref() {
            Ok(Known::All(keys)) => Some(keys.clone()),
            _ => None,
        }
    }
}
