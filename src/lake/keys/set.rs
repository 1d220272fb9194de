use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use datafusion::common::Result;
use tokio::sync::watch;
use xorf::{BinaryFuse8, Filter};

use super::filters::hash;

/// More keys than this are not kept: almost every file would hold one of them.
const KEYS_MAX: usize = 4 << 20;

/// The keys of a join's build side: known once every partition of that side has ended.
#[derive(Debug)]
pub struct KeySet {
    collected: Mutex<Collected>,
    known: watch::Sender<Known>,
}

/// What rows are looked for.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// Of the key column, as [`super::filters::hashes`].
    pub hashes: Vec<u64>,
    /// The values of a further column with dates or times, as [`super::times::ticks`]; none where there is no such column.
    pub times: Vec<i64>,
    /// Of the hashes, once all are there: small enough for a processor's cache.
    filter: Option<BinaryFuse8>,
}

impl Keys {
    /// In order, each once.
    fn complete(mut self) -> Self {
        self.hashes.sort_unstable();
        self.hashes.dedup();
        self.times.sort_unstable();
        self.times.dedup();
        self.filter = BinaryFuse8::try_from(&self.hashes).ok();
        self
    }

    /// The rows that may have one of the keys in a column: all that do, and of the others about one in 256. Fewer rows
    /// then go to other threads and into the join.
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
    /// Partitions that have not ended yet.
    open: usize,
    /// Which partitions were started.
    started: Vec<bool>,
}

#[derive(Debug, Clone)]
enum Known {
    NotYet,
    All(Arc<Keys>),
    /// Too many, or a partition ended before its end: any key may be among them.
    Nothing,
}

impl KeySet {
    /// Of a build side with so many partitions.
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

    /// A partition begins. A plan that is run a second time has other keys: then nothing is known.
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

    /// A partition has given all its keys, or will not.
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

    /// Waits for all keys; `None` where they cannot be told.
    pub(super) async fn all(&self) -> Option<Arc<Keys>> {
        let mut known = self.known.subscribe();
        let known = known.wait_for(|known| !matches!(known, Known::NotYet)).await;
        match known.as_deref() {
            Ok(Known::All(keys)) => Some(keys.clone()),
            _ => None,
        }
    }
}
