//! How long `--follow` waits before the next batch, and how many records that takes: the pipeline's `trigger` (`every`,
//! `records`, `bytes`), and fewer records after a batch that did not fit into memory (half, down to 1,000; twice as
//! many after one that went through). Sources of files give all that they have. Steps with a schedule of their own are
//! in `slower_steps`; the pause after a failure is in `backoff`.

use std::time::{Duration, Instant};

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::Status;
use crate::config::Trigger;
use crate::pipeline::Outcome;

/// How large a record is taken to be before one was seen.
const RECORD_BYTES: f64 = 512.0;
/// How much a new batch counts in the mean size of a record.
const NEWEST_COUNTS: f64 = 0.3;
/// How often it is looked whether enough waits.
const LOOK: Duration = Duration::from_millis(100);
/// A batch that does not fit into memory is halved, down to this many records.
const RECORDS_MIN: u64 = 1_000;

/// When a batch begins, and how many records it takes.
#[derive(Debug)]
pub(super) struct BatchTrigger {
    trigger: Trigger,
    /// Mean bytes of a record.
    record_bytes: f64,
    /// Less than the trigger allows, where memory was short.
    records_max: u64,
    began: Option<Instant>,
}

impl BatchTrigger {
    pub fn new(trigger: Trigger) -> Self {
        Self {
            trigger,
            record_bytes: RECORD_BYTES,
            records_max: trigger.records,
            began: None,
        }
    }

    /// How many records a batch takes at most.
    pub fn records_max(&self) -> u64 {
        let by_bytes = (self.trigger.bytes as f64 / self.record_bytes) as u64;
        self.records_max.min(by_bytes).max(1)
    }

    /// Waits until the next batch begins, the first immediately; `false` if there is to be none.
    pub async fn wait(&mut self, status: &Status, stop: &CancellationToken) -> bool {
        while !stop.is_cancelled() {
            let now = Instant::now();
            let due = self.began.map_or(now, |began| began + self.trigger.every);
            if now >= due || status.waiting() >= self.records_max() {
                self.began = Some(now);
                return true;
            }
            tokio::select! {
                () = sleep(LOOK.min(due - now)) => {}
                () = stop.cancelled() => {}
            }
        }
        false
    }

    /// Takes the size of records from a step that read some.
    pub fn learn(&mut self, outcome: &Outcome) {
        if outcome.bytes > 0 && outcome.read > 0 {
            let size = outcome.bytes as f64 / outcome.read as f64;
            self.record_bytes += NEWEST_COUNTS * (size - self.record_bytes);
        }
    }

    /// After a batch that went through.
    pub fn take_more(&mut self) {
        self.records_max = self.records_max.saturating_mul(2).min(self.trigger.records);
    }

    /// After a batch that did not fit into memory; `false` where it cannot be smaller.
    pub fn take_less(&mut self) -> bool {
        let less = self.records_max() / 2;
        self.records_max = less.max(RECORDS_MIN);
        less >= RECORDS_MIN
    }
}
