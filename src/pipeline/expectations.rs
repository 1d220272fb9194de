//! What has to hold for the rows that a step writes. Expectations are checked once the rows are in files, and before the
//! commit that makes these files part of the table: so each is one query, whatever it asks, and rows still stream.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use clickrec_udfs::Variables;
use datafusion::catalog::TableProvider;
use datafusion::datasource::empty::EmptyTable;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::ExecutionPlanProperties;
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;

use super::aside::Unwanted;
use super::distributed::Plans;
use super::quarantined::{self, Aside};
use super::step::Tools;
use super::{Decision, Inputs, Node, PipelineError, references, step};
use crate::config::{Expectation, Mode, Severity, Step, TableName};
use crate::engine::{self, Bindings, Engine};
use crate::lake::write::{Layout, Written, discard, write_streams};
use crate::lake::{DataFilesScan, KeyFiles, Merge, NullKeys};

/// So many rows are shown where a step fails.
const EXAMPLES: usize = 3;
/// More rows than this are not put aside one by one: something is wrong with all of them.
const QUARANTINED_MAX: usize = 1_000_000;

/// What an expectation found in the rows of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The expectation.
    pub name: String,
    /// What followed.
    pub severity: Severity,
    /// Rows that do not meet it.
    pub rows: u64,
}

/// Where an expectation is written.
#[derive(Debug, Clone)]
pub(super) struct Place {
    file: PathBuf,
    at: Option<(u64, u64)>,
}

impl Place {
    fn of(expectation: &Expectation, config_file: &Path) -> Self {
        match &expectation.file {
            Some(file) => Self {
                file: file.clone(),
                at: None,
            },
            None => Self {
                file: config_file.to_owned(),
                at: Some((expectation.line, 1)),
            },
        }
    }

    pub fn error(&self, message: String) -> PipelineError {
        PipelineError::Sql {
            file: self.file.clone(),
            at: self.at,
            message,
        }
    }

    fn plan_error(&self, expectation: &Expectation, error: &DataFusionError) -> PipelineError {
        let (at, message) = step::planning_message(error);
        match expectation.file {
            Some(_) => PipelineError::Sql {
                file: self.file.clone(),
                at,
                message,
            },
            None => self.error(format!("expectation `{}`: {message}", expectation.name)),
        }
    }
}

/// The tables that the expectations of a step read, besides its own.
pub(super) fn references(
    step: &Step,
    config_file: &Path,
    variables: &Variables,
) -> Result<BTreeMap<TableName, Place>, PipelineError> {
    let mut tables = BTreeMap::new();
    for expectation in &step.expect {
        let place = Place::of(expectation, config_file);
        let found = references::references(&expectation.sql, variables).map_err(|error| PipelineError::Sql {
            file: place.file.clone(),
            at: place.at.or(Some((error.line, error.column))),
            message: error.message,
        })?;
        if !found.changes.is_empty() || found.previous.is_some() || !found.latest.is_empty() {
            let help = "an expectation reads tables by their plain names: the step's own stands for the rows that are \
                        about to be written";
            return Err(place.error(format!(
                "changes(), previous() and latest() have no meaning here\n  help: {help}"
            )));
        }
        let others = found.tables.into_keys().filter(|name| *name != step.name);
        tables.extend(others.map(|name| (name, place.clone())));
    }
    Ok(tables)
}

/// Plans the expectations of a step over empty tables.
pub(super) async fn plan(
    node: &Node,
    engine: &Engine,
    schemas: &BTreeMap<TableName, Arc<Schema>>,
    config_file: &Path,
) -> Result<(), PipelineError> {
    let mut bindings = Bindings::default();
    for name in node.expectations.iter().chain([node.name()]) {
        let schema = schemas.get(name).cloned().unwrap_or_else(|| Arc::new(Schema::empty()));
        bindings.tables.insert(name.clone(), Arc::new(EmptyTable::new(schema)));
    }
    let session = engine.session(&bindings).await?;
    for expectation in &node.step.expect {
        let place = Place::of(expectation, config_file);
        let planned = engine::query(&session, &expectation.sql).await;
        let planned = planned.map_err(|error| place.plan_error(expectation, &error))?;
        if expectation.severity != Severity::Quarantine {
            continue;
        }
        let own = schemas.get(node.name());
        for column in own.map(|own| needed_columns(node, own)).unwrap_or_default() {
            if planned.schema().field_with_unqualified_name(&column).is_err() {
                let message = format!("the result needs the column `{column}`, by which rows are put aside");
                return Err(place.error(format!("{message}\n  help: select all columns of `{}`", node.name())));
            }
        }
    }
    Ok(())
}

/// What becomes of rows with a NULL in the key: where rows may be put aside, they are looked at first.
pub(super) fn null_keys(node: &Node) -> NullKeys {
    let quarantines = |expectation: &Expectation| expectation.severity == Severity::Quarantine;
    match node.step.expect.iter().any(quarantines) {
        true => NullKeys::Write,
        false => NullKeys::Refuse,
    }
}

/// The columns without which nobody can tell which rows a query means: the key, or all.
fn needed_columns(node: &Node, schema: &Schema) -> Vec<String> {
    match node.step.mode {
        Mode::Merge => node.step.key.clone(),
        _ => schema.fields().iter().map(|field| field.name().clone()).collect(),
    }
}

/// Checks what a step has written.
pub(super) struct Checker<'a> {
    pub tools: Tools<'a>,
    pub node: &'a Node,
    pub inputs: &'a Inputs,
    pub layout: &'a Layout,
}

/// What a step has written, once its expectations were checked.
pub(super) struct Passed {
    /// The files to commit.
    pub written: Written,
    /// What was found.
    pub checked: Vec<Checked>,
    /// Rows that are in none of these files. They belong into the quarantine before the commit.
    pub aside: Vec<Aside>,
}

impl Checker<'_> {
    /// The files to commit, and what was found. Files that are not to be committed are deleted. Nothing is in the
    /// quarantine yet: a later expectation, or what is done for the commit, may still fail.
    ///
    /// # Errors
    /// When an expectation that may not fail does, or one cannot be checked.
    pub async fn check(&self, written: Written) -> Result<Passed, PipelineError> {
        let mut passed = Passed {
            written,
            checked: vec![],
            aside: vec![],
        };
        for expectation in &self.node.step.expect {
            let query = |source| step::query_error(self.node, source);
            let session = self.session(&passed.written).await?;
            let offending = offending(&session, expectation).await.map_err(query)?;
            let mut rows = offending.rows;
            match expectation.severity {
                Severity::Fail if rows > 0 => {
                    discard(&self.inputs.target, &passed.written.files).await;
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
        }
        Ok(passed)
    }

    /// The keys of a merge anew, of the rows that are left: old rows stay where all new ones of their key were put aside.
    ///
    /// # Errors
    /// When a key is NULL, or a file cannot be read.
    pub async fn keys_of(
        &self,
        merge: &Merge,
        plans: &Plans<'_>,
        written: &Written,
        keys: KeyFiles,
    ) -> Result<KeyFiles, PipelineError> {
        let session = self.session(written).await?;
        if plans.client.is_some() && self.inputs.decision == Decision::Incremental {
            return plans.keys_of(merge, &session, &written.files, keys).await;
        }
        let kept = merge.keep_keys_of(&self.inputs.target, &session, self.layout, &written.files);
        kept.await.map_err(|error| step::of_query(self.node, error))?;
        Ok(keys)
    }

    /// Writes what was put aside to `system.quarantine`.
    ///
    /// # Errors
    /// When the lake refuses.
    pub async fn save(&self, aside: &[Aside]) -> Result<(), PipelineError> {
        if aside.is_empty() {
            return Ok(());
        }
        let session = self.tools.here.session(&Bindings::default()).await?;
        quarantined::save(self.tools.lake, &session, self.node, aside).await
    }

    /// The step's own name stands for the rows that it has written, other names for tables as they are.
    async fn session(&self, written: &Written) -> Result<SessionContext, PipelineError> {
        let failed = |error| self.node.lake_error(error);
        let new = DataFilesScan::of_new(&self.inputs.target, self.layout, &written.files).map_err(failed)?;
        let mut bindings = Bindings::default();
        bindings.tables.clone_from(&self.inputs.expectations);
        bindings.tables.insert(self.node.name().clone(), Arc::new(new));
        let session = self.tools.here.session(&bindings).await?;
        self.inputs.target.let_read(&session.state()).map_err(failed)?;
        Ok(session)
    }

    fn failed(&self, expectation: &Expectation, offending: &Offending) -> Result<PipelineError, DataFusionError> {
        let rows = quarantined::as_json(&offending.batches)?;
        Ok(PipelineError::Expectation {
            step: self.node.name().to_string(),
            name: expectation.name.clone(),
            rows: offending.rows,
            examples: rows.iter().take(EXAMPLES).map(|row| format!("\n    {row}")).collect(),
        })
    }

    /// Writes the files anew without the rows that an expectation's query returned.
    async fn put_aside(
        &self,
        session: &SessionContext,
        expectation: &Expectation,
        offending: Offending,
        written: Written,
    ) -> Result<(Written, Aside), PipelineError> {
        let query = |source| step::query_error(self.node, source);
        let target = &self.inputs.target;
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
        let good = good.map_err(|error| step::of_query(self.node, error))?;
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
        let scan = DataFilesScan::of_new(&self.inputs.target, self.layout, &written.files);
        let scan = scan.map_err(|error| DataFusionError::External(Box::new(error)))?;
        let plan = scan.scan(&session.state(), None, &[], None).await?;
        let partitions = 0..plan.output_partitioning().partition_count();
        partitions
            .map(|partition| Ok(unwanted.pass(plan.execute(partition, session.task_ctx())?)))
            .collect()
    }

    fn not_of_the_table(&self, expectation: &Expectation, rows: usize) -> PipelineError {
        PipelineError::Sql {
            file: expectation.file.clone().unwrap_or_else(|| self.node.step.file.clone()),
            at: None,
            message: format!(
                "{rows} rows of the result are none that `{}` would have, so they cannot be put aside; nothing was \
                 written\n  help: select the columns of `{}` as they are",
                self.node.name(),
                self.node.name()
            ),
        }
    }
}

/// Rows that do not meet an expectation: how many, and some or all of them.
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
