use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

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
            let mut keys = std::mem::take(&mut collected.keys);
            keys.hashes.sort_unstable();
            keys.hashes.dedup();
            keys.times.sort_unstable();
            keys.times.dedup();
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
