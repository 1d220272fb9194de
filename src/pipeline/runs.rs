//! `system.runs`: what the steps of each run did, one row per step and run (and what became of the records, in the row
//! of the step that says so); `system.expectations`: what their expectations found.

use arrow::datatypes::SchemaRef;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use super::runs_schemas::{expectations_schema, runs_schema};
use super::{Checked, Decision, Failed, Outcome, PipelineError, Reconciled, RunReport, Runner, Skipped, chain, system};
use crate::config::{Pipeline, Severity, TableName};
use crate::engine::Bindings;

/// The status of a step that added what was new, and of one that computed all of its rows.
pub(super) const NEW_ROWS: &str = "new rows";
pub(super) const REBUILT: &str = "rebuilt";

/// A run, as its rows tell it from others.
#[derive(Debug, Clone)]
pub struct Run {
    id: String,
    started_at: DateTime<Utc>,
    pipeline: String,
}

#[derive(Serialize)]
struct Row<'a> {
    run_id: &'a str,
    started_at: String,
    pipeline: &'a str,
    step: String,
    status: &'static str,
    reason: Option<String>,
    rows_read: u64,
    rows_written: u64,
    version: Option<u64>,
    seconds: f64,
    records: Option<u64>,
    accepted: Option<u64>,
    repeated: Option<u64>,
    quarantined: Option<u64>,
    conflicting: Option<u64>,
}

#[derive(Serialize)]
struct Finding<'a> {
    run_id: &'a str,
    started_at: String,
    step: String,
    version: Option<u64>,
    expectation: &'a str,
    severity: Severity,
    offending_rows: u64,
}

impl Finding<'_> {
    fn put_rows_aside(&self) -> bool {
        matches!(self.severity, Severity::Quarantine) && self.offending_rows > 0
    }
}

impl Run {
    /// A run that starts now.
    pub fn start(pipeline: &Pipeline) -> Self {
        let started_at = Utc::now();
        Self {
            id: format!("{}-{}", started_at.format("%Y%m%dT%H%M%S%.6fZ"), std::process::id()),
            started_at,
            pipeline: pipeline.name.clone(),
        }
    }

    /// Adds what its steps did to the tables of the system; nothing where none had anything to do.
    ///
    /// # Errors
    /// When the lake refuses.
    pub async fn save(&self, runner: &Runner, report: &RunReport) -> Result<(), PipelineError> {
        let did_nothing = report.outcomes.iter().all(Outcome::is_up_to_date);
        if did_nothing && report.failed.is_empty() {
            return Ok(());
        }
        let rows: Vec<Row<'_>> = (report.outcomes.iter().map(|outcome| self.ended(outcome)))
            .chain(report.failed.iter().map(|failed| self.failed(failed)))
            .chain(report.skipped.iter().map(|skipped| self.skipped(skipped)))
            .collect();
        append(runner, system::RUNS, &runs_schema(), &rows).await?;
        let findings = self.findings(report);
        if findings.is_empty() {
            return Ok(());
        }
        if findings.iter().any(Finding::put_rows_aside) {
            maintain(runner, &system::name(system::QUARANTINE)).await;
        }
        append(runner, system::EXPECTATIONS, &expectations_schema(), &findings).await
    }

    fn findings<'a>(&'a self, report: &'a RunReport) -> Vec<Finding<'a>> {
        let finding = |step: String, version, expectation: &'a str, severity: Severity, offending_rows| Finding {
            run_id: &self.id,
            started_at: self.started_at(),
            step,
            version,
            expectation,
            severity,
            offending_rows,
        };
        let checked = report.outcomes.iter().flat_map(|outcome| {
            let of_step =
                move |c: &'a Checked| finding(outcome.step.to_string(), outcome.version, &c.name, c.severity, c.rows);
            outcome.checked.iter().map(of_step)
        });
        let failed = report.failed.iter().filter_map(|failed| match &failed.error {
            PipelineError::Expectation { step, name, rows, .. } => {
                Some(finding(step.clone(), None, name, Severity::Fail, *rows))
            }
            _ => None,
        });
        checked.chain(failed).collect()
    }

    fn started_at(&self) -> String {
        self.started_at.to_rfc3339_opts(SecondsFormat::Micros, true)
    }

    fn row(&self, step: String, status: &'static str, reason: Option<String>) -> Row<'_> {
        Row {
            run_id: &self.id,
            started_at: self.started_at(),
            pipeline: &self.pipeline,
            step,
            status,
            reason,
            rows_read: 0,
            rows_written: 0,
            version: None,
            seconds: 0.0,
            records: None,
            accepted: None,
            repeated: None,
            quarantined: None,
            conflicting: None,
        }
    }

    fn ended(&self, outcome: &Outcome) -> Row<'_> {
        let status = match &outcome.decision {
            Decision::UpToDate(_) => "up to date",
            Decision::Incremental => NEW_ROWS,
            Decision::Forward(_) => "forward",
            Decision::Backfill(_) => "backfilled",
            Decision::Full(_) => REBUILT,
        };
        let reason = outcome.decision.reason().map(str::to_owned);
        let count = |of: fn(&Reconciled) -> u64| outcome.reconciled.as_ref().map(of);
        Row {
            rows_read: outcome.read,
            rows_written: outcome.written,
            version: outcome.version,
            seconds: outcome.took.as_secs_f64(),
            records: count(|records| records.read),
            accepted: count(|records| records.accepted),
            repeated: count(|records| records.repeated),
            quarantined: count(|records| records.quarantined),
            conflicting: count(|records| records.conflicting),
            ..self.row(outcome.step.to_string(), status, reason)
        }
    }

    fn failed(&self, failed: &Failed) -> Row<'_> {
        Row {
            seconds: failed.took.as_secs_f64(),
            ..self.row(failed.step.to_string(), "failed", Some(chain(&failed.error, ": ")))
        }
    }

    fn skipped(&self, skipped: &Skipped) -> Row<'_> {
        self.row(skipped.step.to_string(), "skipped", Some(skipped.reason()))
    }
}

async fn append(
    runner: &Runner,
    table: &str,
    schema: &SchemaRef,
    rows: &[impl Serialize],
) -> Result<(), PipelineError> {
    let session = runner.engine().session(&Bindings::default()).await?;
    let (table, rows) = (system::name(table), system::batch(schema, rows)?);
    let saved = system::append(runner.lake(), &session, &table, rows).await;
    saved.map_err(|source| PipelineError::Lake {
        step: table.to_string(),
        source,
    })?;
    maintain(runner, &table).await;
    Ok(())
}

/// The rows are there; what cannot be done for their table is done after a later run.
async fn maintain(runner: &Runner, table: &TableName) {
    match runner.maintain(table).await {
        Ok(done) => tracing::debug!(%table, ?done, "maintained"),
        Err(error) => tracing::warn!(%table, error = chain(&error, ": "), "cannot maintain the table"),
    }
}
