//! How a run ended: what each step did, failed on, or was skipped for.

use std::time::Duration;

use super::{Checked, Decision, PipelineError, Reconciled};
use crate::config::TableName;
use crate::lake::Version;

/// How a step ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// `layer.table`.
    pub step: TableName,
    /// What was decided.
    pub decision: Decision,
    /// Rows that waited, or that were read.
    pub read: u64,
    /// Rows in the new files.
    pub written: u64,
    /// The version it committed; `None` where there was nothing to do.
    pub version: Option<Version>,
    /// Bytes of the records that were read from sources.
    pub bytes: u64,
    /// Wall time.
    pub took: Duration,
    /// What its expectations found.
    pub checked: Vec<Checked>,
    /// Records of its input that its SQL fails on, and that are in `system.quarantine`.
    pub failed: u64,
    /// What became of the records, where it is the step that says so.
    pub reconciled: Option<Reconciled>,
}

impl Outcome {
    /// Whether the rows it wrote are records that were not accepted.
    pub fn is_quarantine(&self) -> bool {
        self.step.table == "quarantine"
    }

    /// Takes up what the same step did later.
    pub(super) fn add(&mut self, later: &Self) {
        self.decision = later.decision.clone();
        self.version = later.version;
        self.read += later.read;
        self.written += later.written;
        self.bytes += later.bytes;
        self.failed += later.failed;
        self.took += later.took;
        for (sum, checked) in self.checked.iter_mut().zip(&later.checked) {
            sum.rows += checked.rows;
        }
        if let Some(later) = &later.reconciled {
            self.reconciled.get_or_insert_default().add(later);
        }
    }

    /// Whether there was nothing to do.
    pub fn is_up_to_date(&self) -> bool {
        matches!(self.decision, Decision::UpToDate(_))
    }
}

/// A step that failed; nothing of it was committed.
#[derive(Debug)]
pub struct Failed {
    /// `layer.table`.
    pub step: TableName,
    /// Why.
    pub error: PipelineError,
    /// Wall time.
    pub took: Duration,
}

/// A step that did not run, because it reads one that failed or was skipped.
#[derive(Debug, Clone)]
pub struct Skipped {
    /// `layer.table`.
    pub step: TableName,
    /// A step that failed or was skipped.
    pub because_of: TableName,
}

impl Skipped {
    /// Why the step was skipped, for people.
    pub fn reason(&self) -> String {
        format!("{} failed or was skipped", self.because_of)
    }
}

/// How a run ended.
#[derive(Debug, Default)]
pub struct RunReport {
    /// The steps that ended well, in order.
    pub outcomes: Vec<Outcome>,
    /// Those that did not.
    pub failed: Vec<Failed>,
    /// Those that could not run for that.
    pub skipped: Vec<Skipped>,
}

impl RunReport {
    /// What became of the records that the run's steps read.
    pub fn reconciled(&self) -> Option<Reconciled> {
        let mut all = self.outcomes.iter().filter_map(|outcome| outcome.reconciled.as_ref());
        let mut sum = all.next()?.clone();
        all.for_each(|more| sum.add(more));
        Some(sum)
    }

    /// What the steps did, where all ended well.
    ///
    /// # Errors
    /// Why the first one failed.
    pub fn into_outcomes(mut self) -> Result<Vec<Outcome>, PipelineError> {
        match self.failed.is_empty() {
            true => Ok(self.outcomes),
            false => Err(self.failed.remove(0).error),
        }
    }
}
