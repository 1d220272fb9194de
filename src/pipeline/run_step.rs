//! Runs one step: looks at what it reads, decides, runs it; and all of that again from the new state if its commit
//! lost a race (three attempts): another writer (a second runner, another engine) committed to the table first.
//! `lake/commit.rs` commits on top of a commit that only moved rows between files; every other one is a conflict, which
//! ends here. A step that finds a file damaged is planned again, too, without that file; so is one that has not read
//! all of a file, to look for damage. After the commit: what became
//! of the records (`reconciliation`). The commands then record the run (`runs.rs`) and maintain the tables
//! (`upkeep.rs`).

use std::sync::Arc;
use std::time::Instant;

use chrono::Utc;

use super::error::is_of_damaged_file;
use super::leave_out_failed_records::run_leaving_out_failed_records;
use super::step::Done;
use super::{
    Decision, Lookup, Node, Outcome, PipelineError, RunEvent, Runner, StepProgress, chain, failed_records,
    reconciliation,
};
use crate::lake::LakeError;

/// How often a step that lost a race is planned again from the new state.
const ATTEMPTS: usize = 3;

impl Runner {
    /// Runs one step, as often as another writer is faster, and again if a file is damaged.
    pub(super) async fn run_step(
        &self,
        node: &Node,
        mut lookup: Lookup,
        on_event: &mut dyn FnMut(RunEvent<'_>),
    ) -> Result<Outcome, PipelineError> {
        let (started, begun) = (Instant::now(), Utc::now());
        let mut attempt = 1;
        // From another process comes only the text of an error.
        lookup.read.trusts_files = self.backend().stages().is_none();
        loop {
            let inputs = self.inspect(node, lookup).await?;
            if let Decision::UpToDate(_) = inputs.decision {
                return Ok(outcome(node, inputs.decision, None, started));
            }
            let progress = Arc::new(StepProgress::default());
            let (decision, waiting) = (&inputs.decision, inputs.waiting);
            on_event(RunEvent::Started {
                step: node,
                decision,
                waiting,
                progress: progress.clone(),
            });
            match run_leaving_out_failed_records(self.tools(), node, &inputs, &progress).await {
                Ok(done) => {
                    if matches!(inputs.decision, Decision::Full(_)) {
                        // What failed before was read again with everything else.
                        failed_records::forget(self.tools_here(), &[node], begun).await?;
                    }
                    let mut reconciled = reconciliation::reconciled(self.tools_here(), node, done.version).await;
                    if let Some(records) = &mut reconciled {
                        // The step has not seen the records that its SQL fails on.
                        records.read += done.failed;
                        records.quarantined += done.failed;
                    }
                    let outcome = outcome(node, inputs.decision, Some(done), started);
                    return Ok(Outcome { reconciled, ..outcome });
                }
                // The other writer's commit is part of the state that the next attempt plans from.
                Err(PipelineError::Lake {
                    source: LakeError::Conflict { .. },
                    ..
                }) if attempt < ATTEMPTS => {
                    tracing::warn!(step = %node.name(), attempt, "another writer committed first; planning again");
                    attempt += 1;
                }
                // Nothing was committed; all files are looked through now, and the damaged ones left out.
                Err(error) if lookup.read.trusts_files && is_of_damaged_file(&error) => {
                    tracing::debug!(step = %node.name(), error = chain(&error, ": "), "planning again");
                    lookup.read.trusts_files = false;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// How a step ended.
pub(super) fn outcome(node: &Node, decision: Decision, done: Option<Done>, started: Instant) -> Outcome {
    Outcome {
        step: node.name().clone(),
        decision,
        read: done.as_ref().map_or(0, |done| done.read),
        written: done.as_ref().map_or(0, |done| done.written),
        bytes: done.as_ref().map_or(0, |done| done.bytes),
        version: done.as_ref().map(|done| done.version),
        took: started.elapsed(),
        failed: done.as_ref().map_or(0, |done| done.failed),
        checked: done.map(|done| done.checked).unwrap_or_default(),
        reconciled: None,
    }
}
