//! The phase `check` of a step: runs its expectations over the files that it has written, and decides by `severity`
//! what follows. The step fails, rows that violate an expectation go to the quarantine, or their number is only
//! reported. More than a million rows to quarantine fail the step too. `Attempt::complete` calls it between `write` and
//! `merge`.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use datafusion::catalog::TableProvider;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::ExecutionPlanProperties;
use datafusion::prelude::SessionContext;
use deltalake::kernel::Add;
use futures::TryStreamExt;

use super::Attempt;
use crate::config::{Expectation, Severity};
use crate::engine::{self, Bindings};
use crate::lake::DataFilesScan;
use crate::lake::write::{Layout, Written, discard, write_streams};
use crate::pipeline::quarantine_table::{self, Aside};
use crate::pipeline::rejected_rows::Unwanted;
use crate::pipeline::step_error::{backend_error, query_error};
use crate::pipeline::{Checked, PipelineError};
use crate::plural::counted;

/// How many offending rows an error shows.
const EXAMPLES: usize = 3;
/// More rows than this are not quarantined one by one: something is wrong with all of them.
const QUARANTINED_MAX: usize = 1_000_000;

/// What a step has written, once its expectations were checked.
#[derive(Debug)]
pub struct Passed {
    /// The files to commit.
    pub written: Written,
    /// What was found.
    pub checked: Vec<Checked>,
    /// Rows that are in none of these files. They belong into the quarantine before the commit.
    pub aside: Vec<Aside>,
}

/// Checks the expectations of a step on what it has written. Files that are not to be committed are deleted. Nothing is
/// in the quarantine yet: a later expectation, or what is done for the commit, may still fail.
///
/// # Errors
/// When an expectation that may not fail does, or one cannot be checked.
pub async fn check(attempt: Attempt<'_>, layout: &Layout, written: Written) -> Result<Passed, PipelineError> {
    let checker = Checker { attempt, layout };
    let mut passed = Passed {
        written,
        checked: vec![],
        aside: vec![],
    };
    for expectation in &attempt.node.step.expect {
        passed = checker.check(expectation, passed).await?;
    }
    Ok(passed)
}

/// Writes the rejected rows to `system.quarantine`.
///
/// # Errors
/// When the lake refuses.
pub async fn save(attempt: Attempt<'_>, aside: &[Aside]) -> Result<(), PipelineError> {
    if aside.is_empty() {
        return Ok(());
    }
    let tools = attempt.tools;
    let session = tools.engine_here().session(&Bindings::default()).await?;
    quarantine_table::save(tools.lake, &session, attempt.node, aside).await
}

/// A session of this process in which the step's own name stands for the rows that it has written, and other names for
/// tables as they are.
pub async fn session(attempt: Attempt<'_>, layout: &Layout, files: &[Add]) -> Result<SessionContext, PipelineError> {
    let failed = |error| attempt.node.lake_error(error);
    let inputs = attempt.inputs;
    let new = DataFilesScan::of_new(&inputs.target, layout, files).map_err(failed)?;
    let mut bindings = Bindings::default();
    bindings.tables.clone_from(&inputs.expectations);
    bindings.tables.insert(attempt.node.name().clone(), Arc::new(new));
    let session = attempt.tools.engine_here().session(&bindings).await?;
    inputs.target.register_store(&session.state()).map_err(failed)?;
    Ok(session)
}

struct Checker<'a> {
    attempt: Attempt<'a>,
    layout: &'a Layout,
}

impl Checker<'_> {
    /// Checks one expectation on what passed those before.
    async fn check(&self, expectation: &Expectation, mut passed: Passed) -> Result<Passed, PipelineError> {
        let query = |source| query_error(self.attempt.node, source);
        let session = session(self.attempt, self.layout, &passed.written.files).await?;
        let offending = offending(&session, expectation).await.map_err(query)?;
        let mut rows = offending.rows;
        match expectation.severity {
            Severity::Fail if rows > 0 => {
                discard(&self.attempt.inputs.target, &passed.written.files).await;
                return Err(self.failed(expectation, &offending).unwrap_or_else(query));
            }
            Severity::Quarantine if rows > 0 => {
                let (good, aside) = self.put_aside(&session, expectation, offending, passed.written).await?;
                rows = aside.found.rows();
                passed.written = good;
                passed.aside.push(aside);
            }
            _ => {}
        }
        passed.checked.push(Checked {
            name: expectation.name.clone(),
            severity: expectation.severity,
            rows,
        });
        Ok(passed)
    }

    fn failed(&self, expectation: &Expectation, offending: &Offending) -> Result<PipelineError, DataFusionError> {
        let rows = quarantine_table::as_json(&offending.batches)?;
        Ok(PipelineError::Expectation {
            step: self.attempt.node.name().to_string(),
            name: expectation.name.clone(),
            rows: offending.rows,
            examples: rows.iter().take(EXAMPLES).map(|row| format!("\n    {row}")).collect(),
        })
    }

    /// Writes the files again without the rows that an expectation's query returned.
    async fn put_aside(
        &self,
        session: &SessionContext,
        expectation: &Expectation,
        offending: Offending,
        written: Written,
    ) -> Result<(Written, Aside), PipelineError> {
        let query = |source| query_error(self.attempt.node, source);
        let target = &self.attempt.inputs.target;
        if offending.rows > QUARANTINED_MAX as u64 {
            discard(target, &written.files).await;
            return Err(self.failed(expectation, &offending).unwrap_or_else(query));
        }
        let task = session.task_ctx();
        let unwanted = Unwanted::of(
            &offending.batches,
            &offending.schema,
            &self.layout.schema,
            task.memory_pool(),
        );
        let unwanted = Arc::new(unwanted.map_err(query)?);
        let streams = self.without(session, &written, &unwanted).await.map_err(query)?;
        let good = write_streams(target, streams, self.layout).await;
        let good = good.map_err(|error| backend_error(self.attempt.node, error.into()))?;
        if unwanted.missed() > 0 {
            discard(target, &good.files).await;
            discard(target, &written.files).await;
            return Err(self.not_of_the_table(expectation, unwanted.missed()));
        }
        discard(target, &written.files).await;
        let aside = Aside {
            expectation: expectation.name.clone(),
            found: unwanted.found(task.memory_pool()),
        };
        Ok((good, aside))
    }

    /// The rows that were written, but for the unwanted ones.
    async fn without(
        &self,
        session: &SessionContext,
        written: &Written,
        unwanted: &Arc<Unwanted>,
    ) -> Result<Vec<SendableRecordBatchStream>, DataFusionError> {
        let scan = DataFilesScan::of_new(&self.attempt.inputs.target, self.layout, &written.files);
        let scan = scan.map_err(|error| DataFusionError::External(Box::new(error)))?;
        let plan = scan.scan(&session.state(), None, &[], None).await?;
        let partitions = 0..plan.output_partitioning().partition_count();
        partitions
            .map(|partition| Ok(unwanted.pass(plan.execute(partition, session.task_ctx())?)))
            .collect()
    }

    fn not_of_the_table(&self, expectation: &Expectation, rows: usize) -> PipelineError {
        PipelineError::Sql {
            file: expectation
                .file
                .clone()
                .unwrap_or_else(|| self.attempt.node.step.file.clone()),
            at: None,
            message: format!(
                "{} no row that `{}` is about to write, and only such rows can be quarantined; nothing was written\n  \
                 help: select the columns of `{}` as they are",
                counted(rows as u64, "row of the result matches", "rows of the result match"),
                self.attempt.node.name(),
                self.attempt.node.name()
            ),
        }
    }
}

/// Rows that violate an expectation: how many, and some or all of them.
struct Offending {
    schema: Arc<Schema>,
    rows: u64,
    batches: Vec<RecordBatch>,
}

/// Runs the query of an expectation, and keeps as many rows as are of use.
async fn offending(session: &SessionContext, expectation: &Expectation) -> Result<Offending, DataFusionError> {
    let query = engine::query(session, &expectation.sql).await?;
    let mut offending = Offending {
        schema: Arc::new(query.schema().as_arrow().clone()),
        rows: 0,
        batches: vec![],
    };
    let kept = match expectation.severity {
        Severity::Quarantine => QUARANTINED_MAX,
        _ => EXAMPLES,
    };
    let mut batches = query.execute_stream().await?;
    while let Some(batch) = batches.try_next().await? {
        let room = kept.saturating_sub(usize::try_from(offending.rows).unwrap_or(usize::MAX));
        offending.rows += batch.num_rows() as u64;
        if room > 0 {
            offending.batches.push(batch.slice(0, room.min(batch.num_rows())));
        }
    }
    Ok(offending)
}
