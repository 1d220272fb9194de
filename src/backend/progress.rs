//! How far a step is: rows and bytes that its plan has read, and rows written. `cli/progress.rs` draws it,
//! `pipeline/follow/status.rs` notices a step that is stuck.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::physical_plan::ExecutionPlan;

use crate::sources::BYTES_READ;

/// How far a step is, for whoever draws it while the step works.
#[derive(Debug, Default)]
pub struct StepProgress {
    plan: Mutex<Option<Arc<dyn ExecutionPlan>>>,
    written: AtomicU64,
    /// Of plans that ran elsewhere, which tell it at their end.
    read_elsewhere: AtomicU64,
    bytes_elsewhere: AtomicU64,
}

impl StepProgress {
    /// Rows that the scans have given so far; an input that the SQL names twice counts twice.
    pub fn rows_read(&self) -> u64 {
        let here = self.plan().map_or(0, |plan| rows_read(plan.as_ref()));
        here + self.read_elsewhere.load(Ordering::Relaxed)
    }

    /// Bytes of the keys and values that sources have given so far.
    pub fn bytes_read(&self) -> u64 {
        let here = self.plan().map_or(0, |plan| bytes_read(plan.as_ref()));
        here + self.bytes_elsewhere.load(Ordering::Relaxed)
    }

    /// Rows that were written so far.
    pub fn rows_written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Takes the counts of reading from this plan.
    pub fn watch(&self, plan: Arc<dyn ExecutionPlan>) {
        *self.plan.lock().unwrap_or_else(PoisonError::into_inner) = Some(plan);
    }

    fn plan(&self) -> Option<Arc<dyn ExecutionPlan>> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Nothing was done yet: the step begins again. What its plan holds in memory is let go.
    pub fn restart(&self) {
        *self.plan.lock().unwrap_or_else(PoisonError::into_inner) = None;
        for count in [&self.written, &self.read_elsewhere, &self.bytes_elsewhere] {
            count.store(0, Ordering::Relaxed);
        }
    }

    /// Counts rows and bytes of a plan that ran elsewhere.
    pub fn add_read_elsewhere(&self, rows: u64, bytes: u64) {
        self.read_elsewhere.fetch_add(rows, Ordering::Relaxed);
        self.bytes_elsewhere.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts rows that were written.
    pub fn add_written(&self, rows: usize) {
        self.written.fetch_add(rows as u64, Ordering::Relaxed);
    }
}

fn rows_read(plan: &dyn ExecutionPlan) -> u64 {
    if plan.children().is_empty() {
        return plan
            .metrics()
            .and_then(|metrics| metrics.output_rows())
            .unwrap_or_default() as u64;
    }
    plan.children().into_iter().map(|child| rows_read(child.as_ref())).sum()
}

fn bytes_read(plan: &dyn ExecutionPlan) -> u64 {
    let metrics = plan.metrics();
    let own = metrics.and_then(|metrics| metrics.sum_by_name(BYTES_READ));
    let own = own.map_or(0, |bytes| bytes.as_usize() as u64);
    own + plan
        .children()
        .into_iter()
        .map(|child| bytes_read(child.as_ref()))
        .sum::<u64>()
}
