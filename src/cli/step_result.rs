//! What a step did as a line of JSON, for `run --json` and `run --follow --json`.

use serde::Serialize;

use super::exit::with_causes;
use crate::config::TableName;
use crate::pipeline::{Decision, Outcome, Reconciled, RunEvent};

/// What a step did, as a line of JSON.
#[derive(Serialize)]
pub(super) struct StepResult {
    event: &'static str,
    step: String,
    result: &'static str,
    reason: Option<String>,
    rows_read: u64,
    rows_written: u64,
    version: Option<u64>,
    seconds: f64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    expectations: Vec<Expectation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    records: Option<Reconciled>,
}

/// What an expectation found.
#[derive(Serialize)]
struct Expectation {
    name: String,
    severity: String,
    offending_rows: u64,
}

impl StepResult {
    /// Of a step that has ended.
    pub fn of(event: &RunEvent<'_>) -> Option<Self> {
        match event {
            RunEvent::Started { .. } => None,
            RunEvent::Finished(outcome) => Some(Self::from(*outcome)),
            RunEvent::Failed(failed) => Some(Self {
                seconds: failed.took.as_secs_f64(),
                ..Self::without_rows(&failed.step, "failed", with_causes(&failed.error))
            }),
            RunEvent::Skipped(skipped) => Some(Self::without_rows(&skipped.step, "skipped", skipped.reason())),
        }
    }

    fn without_rows(step: &TableName, result: &'static str, reason: String) -> Self {
        Self {
            event: "step",
            step: step.to_string(),
            result,
            reason: Some(reason),
            rows_read: 0,
            rows_written: 0,
            version: None,
            seconds: 0.0,
            expectations: vec![],
            records: None,
        }
    }
}

impl From<&Outcome> for StepResult {
    fn from(outcome: &Outcome) -> Self {
        let reason = outcome.decision.reason().map(str::to_owned);
        let expectations = outcome.checked.iter().map(|checked| Expectation {
            name: checked.name.clone(),
            severity: checked.severity.to_string(),
            offending_rows: checked.rows,
        });
        Self {
            event: "step",
            step: outcome.step.to_string(),
            result: result(&outcome.decision),
            reason,
            rows_read: outcome.read,
            rows_written: outcome.written,
            version: outcome.version,
            seconds: outcome.took.as_secs_f64(),
            expectations: expectations.collect(),
            records: outcome.reconciled.clone(),
        }
    }
}

pub(super) fn result(decision: &Decision) -> &'static str {
    match decision {
        Decision::UpToDate(_) => "up to date",
        Decision::Incremental => "new rows",
        Decision::Forward(_) => "forward",
        Decision::Backfill(_) => "backfilled",
        Decision::Full(_) => "rebuilt",
    }
}
