//! Sums up what the steps did while `--follow` runs, and writes it to `system.runs` every five minutes and at the end:
//! a row for each batch would be too many.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::sleep;

use crate::config::{Pipeline, TableName};
use crate::pipeline::runs::Run;
use crate::pipeline::{Outcome, RunReport, Runner};

/// A row a batch would be too many: `system.runs` has one a step for so long.
const EVERY: Duration = Duration::from_secs(5 * 60);

/// What the steps did since it was last written down.
#[derive(Debug)]
pub(super) struct Ledger {
    run: Run,
    since: Mutex<BTreeMap<TableName, Outcome>>,
}

impl Ledger {
    pub fn new(pipeline: &Pipeline) -> Self {
        Self {
            run: Run::start(pipeline),
            since: Mutex::default(),
        }
    }

    pub fn add(&self, outcome: &Outcome) {
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        match since.get_mut(&outcome.step) {
            Some(sum) => sum.add(outcome),
            None => _ = since.insert(outcome.step.clone(), outcome.clone()),
        }
    }

    /// Writes every now and then, forever.
    pub async fn keep(&self, runner: &Runner) {
        loop {
            sleep(EVERY).await;
            self.save(runner).await;
        }
    }

    /// Writes down what is not yet. What cannot be written is lost, and nothing depends on it.
    pub async fn save(&self, runner: &Runner) {
        let since = std::mem::take(&mut *self.since.lock().unwrap_or_else(PoisonError::into_inner));
        let report = RunReport {
            outcomes: since.into_values().collect(),
            ..RunReport::default()
        };
        if let Err(error) = self.run.save(runner, &report).await {
            tracing::warn!(%error, "cannot record the run in system.runs");
        }
    }
}
