//! What a step has to do after rows of a person were taken out of its inputs (`src/erase/`).
//!
//! No step sees such an erasure as a change (`lake/changes.rs`), so it rebuilds nothing. But counts that the rows were
//! part of have to be made again:
//!
//! - A merge that reads a table twice, `changes('T')` for what is touched and `T` for what to compute from it, is run
//!   with the erased rows in the place of changes: it computes their keys again, from what is left (a session without
//!   events, a day with fewer). It runs before its own rows are erased, so that it still finds by `previous('…')` what
//!   depends on them (in silver.people, other sessions of the same browser). A merge that turns changes into rows (Bronze
//!   into events) is not: it would bring the rows back.
//! - A step that reads whole tables is run as by `run`; `refresh_after` may let it wait.
//!
//! In the end, steps that are behind read what waits, because the log that says what they have not read is deleted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::RecordBatch;
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;

use super::leave_out_failed_records::run_leaving_out_failed_records;
use super::{Decision, Inputs, Lookup, Node, PipelineError, RunEvent, Runner, StepProgress, chain};
use crate::config::{Mode, TableName};
use crate::engine::Bindings;
use crate::lake::LakeError;

/// How often a step that lost a race is planned again.
const ATTEMPTS: usize = 3;

impl Node {
    /// Whether the step computes the keys of changed rows again from the whole table: see the module.
    pub fn recomputes(&self, table: &TableName) -> bool {
        let reads_both = self.changed_tables.contains(table) && self.tables.contains(table);
        self.step.mode == Mode::Merge && reads_both && !self.adds_records()
    }
}

impl Runner {
    /// Whether a step has to compute keys of rows again that were taken out of its inputs: `gone` holds these rows, by
    /// table. A step whose SQL is broken is left out: it is rebuilt once the SQL is corrected.
    ///
    /// # Errors
    /// When the step's table cannot be opened.
    pub async fn is_recomputed_after_erasure(
        &self,
        node: &Node,
        gone: &BTreeMap<TableName, Vec<RecordBatch>>,
    ) -> Result<bool, PipelineError> {
        let reads_gone = gone.keys().any(|table| node.recomputes(table));
        Ok(reads_gone && self.broken(node.name()).is_none() && self.has_table(node).await?)
    }

    /// Runs a step that reads whole tables, after rows were taken out of them; `touched` says which tables have lost some
    /// or were computed again. Returns whether the step wrote anything.
    ///
    /// # Errors
    /// As [`Runner::run_once`] for a single step.
    pub async fn run_after_erasure(
        &self,
        node: &Node,
        touched: &dyn Fn(&TableName) -> bool,
    ) -> Result<bool, PipelineError> {
        let is_whole = node.step.mode == Mode::Overwrite && node.sources.is_empty();
        let is_due = is_whole && node.inputs().any(touched) && self.broken(node.name()).is_none();
        if !is_due || !self.has_table(node).await? {
            return Ok(false);
        }
        let outcome = self
            .run_step(node, Lookup::default(), &mut |_: RunEvent<'_>| {})
            .await?;
        Ok(outcome.version.is_some())
    }

    /// Runs a step that has not read all changes of its inputs, before the log that holds these is deleted. Otherwise, it
    /// would read its input again from the start. One that fails does so, and the erasure goes on. Steps that read sources
    /// are left alone.
    ///
    /// # Errors
    /// When the step's table cannot be opened.
    pub async fn catch_up_before_purge(&self, node: &Node) -> Result<(), PipelineError> {
        let reads_changes = !node.changed_tables.is_empty() && node.sources.is_empty();
        if !reads_changes || self.broken(node.name()).is_some() || !self.has_table(node).await? {
            return Ok(());
        }
        if let Err(error) = self.read_on(node).await {
            let reason = chain(&error, ": ");
            tracing::warn!(step = %node.name(), reason, "the step failed; it may read its input again from the start");
        }
        Ok(())
    }

    /// Runs a step, unless it has to be rebuilt: the next run does that.
    async fn read_on(&self, node: &Node) -> Result<(), PipelineError> {
        let inputs = self.inspect(node, Lookup::default()).await?;
        if let Decision::Incremental = inputs.decision {
            self.run_step(node, Lookup::default(), &mut |_: RunEvent<'_>| {})
                .await?;
        }
        Ok(())
    }

    async fn has_table(&self, node: &Node) -> Result<bool, PipelineError> {
        let table = self.lake().table(node.name()).await;
        Ok(table.map_err(|error| node.lake_error(error))?.version().is_some())
    }

    /// Runs a merge over the rows that are gone and, since it then has read its inputs up to now, over what waits.
    ///
    /// # Errors
    /// As [`Runner::run_once`] for a single step.
    pub async fn recompute_after_erasure(
        &self,
        node: &Node,
        gone: &BTreeMap<TableName, Vec<RecordBatch>>,
    ) -> Result<(), PipelineError> {
        let mut attempt = 1;
        loop {
            let mut inputs = self.inspect(node, Lookup::default()).await?;
            if let Decision::UpToDate(_) = inputs.decision {
                inputs.decision = Decision::Incremental;
            }
            if !matches!(inputs.decision, Decision::Full(_)) {
                self.add_gone(node, &mut inputs, gone).await?;
            }
            let progress = Arc::new(StepProgress::default());
            let started = Instant::now();
            match run_leaving_out_failed_records(self.tools_here(), node, &inputs, &progress).await {
                Ok(done) => {
                    tracing::info!(
                        step = %node.name(), version = done.version, took = ?started.elapsed(),
                        "computed again without the erased rows"
                    );
                    return Ok(());
                }
                Err(PipelineError::Lake {
                    source: LakeError::Conflict { .. },
                    ..
                }) if attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Binds `changes('T')` to what waits and to the rows that are gone.
    async fn add_gone(
        &self,
        node: &Node,
        inputs: &mut Inputs,
        gone: &BTreeMap<TableName, Vec<RecordBatch>>,
    ) -> Result<(), PipelineError> {
        let session = self.engine().session(&Bindings::default()).await?;
        inputs
            .target
            .register_store(&session.state())
            .map_err(|error| node.lake_error(error))?;
        for (table, batches) in gone.iter().filter(|(table, _)| node.recomputes(table)) {
            let Some(first) = batches.first() else { continue };
            let rows: Arc<dyn TableProvider> = Arc::new(MemTable::try_new(first.schema(), vec![batches.clone()])?);
            let rows = match inputs.bindings.changes.get(&table.to_string()) {
                Some(waiting) => {
                    let waiting = session.read_table(waiting.clone())?;
                    waiting.union(session.read_table(rows)?)?.into_view()
                }
                None => rows,
            };
            inputs.bindings.changes.insert(table.to_string(), rows);
        }
        Ok(())
    }
}
