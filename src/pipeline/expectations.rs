//! What has to hold for the rows that a step writes. Expectations are checked once the rows are in files, and before the
//! commit that makes these files part of the table: so each is one query, whatever it asks, and rows still stream.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use clickrec_udfs::Variables;
use datafusion::common::{Column, JoinType, NullEquality};
use datafusion::datasource::MemTable;
use datafusion::datasource::empty::EmptyTable;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::LogicalPlanBuilder;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{DataFrame, SessionContext};
use futures::TryStreamExt;

use super::step::Tools;
use super::{Inputs, Node, PipelineError, quarantined, references, step};
use crate::config::{Expectation, Mode, Severity, Step, TableName};
use crate::engine::{self, Bindings, Engine};
use crate::lake::DataFilesScan;
use crate::lake::write::{Layout, Written, discard, write};

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
        for column in own.map(|own| matched_columns(node, own)).unwrap_or_default() {
            if planned.schema().field_with_unqualified_name(&column).is_err() {
                let message = format!("the result needs the column `{column}`, by which rows are put aside");
                return Err(place.error(format!("{message}\n  help: select all columns of `{}`", node.name())));
            }
        }
    }
    Ok(())
}

/// The columns that tell which rows of the result are put aside: the key, or all.
fn matched_columns(node: &Node, schema: &Schema) -> Vec<String> {
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

impl Checker<'_> {
    /// The files to commit, and what was found. Files that are not to be committed are deleted.
    ///
    /// # Errors
    /// When an expectation that may not fail does, or one cannot be checked.
    pub async fn check(&self, mut written: Written) -> Result<(Written, Vec<Checked>), PipelineError> {
        let mut all = vec![];
        for expectation in &self.node.step.expect {
            let query = |source| step::query_error(self.node, source);
            let session = self.session(&written).await?;
            let offending = offending(&session, expectation).await.map_err(query)?;
            let rows = offending.rows;
            if rows > 0 {
                written = match expectation.severity {
                    Severity::Warn => written,
                    Severity::Fail => {
                        discard(&self.inputs.target, &written.files).await;
                        return Err(self.failed(expectation, &offending).unwrap_or_else(query));
                    }
                    Severity::Quarantine => self.put_aside(&session, expectation, offending, written).await?,
                };
            }
            all.push(Checked {
                name: expectation.name.clone(),
                severity: expectation.severity,
                rows,
            });
        }
        Ok((written, all))
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

    /// Writes the rows to `system.quarantine`, and the files anew without them.
    async fn put_aside(
        &self,
        session: &SessionContext,
        expectation: &Expectation,
        offending: Offending,
        written: Written,
    ) -> Result<Written, PipelineError> {
        let query = |source| step::query_error(self.node, source);
        if offending.rows > QUARANTINED_MAX as u64 {
            discard(&self.inputs.target, &written.files).await;
            return Err(self.failed(expectation, &offending).unwrap_or_else(query));
        }
        let columns = matched_columns(self.node, &self.layout.schema);
        quarantined::save(
            self.tools.lake,
            session,
            self.node,
            expectation,
            &columns,
            &offending.batches,
        )
        .await?;
        let plan = self.good(session, offending, &columns).await.map_err(query)?;
        let good = write(&self.inputs.target, &plan, &session.task_ctx(), self.layout)
            .await
            .map_err(|error| self.node.lake_error(error))?;
        discard(&self.inputs.target, &written.files).await;
        Ok(good)
    }

    /// A plan of the rows that were written, without these.
    async fn good(
        &self,
        session: &SessionContext,
        offending: Offending,
        columns: &[String],
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        let name = self.node.name();
        let all = format!("select * from \"{}\".\"{}\"", name.layer, name.table);
        let all = engine::query(session, &all).await?;
        let offending = MemTable::try_new(offending.schema, vec![offending.batches])?;
        let offending = session.read_table(Arc::new(offending))?;
        without(all, offending, columns)?.create_physical_plan().await
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

/// The rows that have no equal among the others in these columns; NULL is equal to NULL.
fn without(rows: DataFrame, others: DataFrame, columns: &[String]) -> Result<DataFrame, DataFusionError> {
    let (state, rows) = rows.into_parts();
    let (_, others) = others.into_parts();
    let others = LogicalPlanBuilder::from(others).alias("__offending")?.build()?;
    let quoted = |column: &String| Column::new_unqualified(column);
    let (left, right): (Vec<_>, Vec<_>) = columns
        .iter()
        .map(|column| {
            let other = Column::new(Some("__offending"), column);
            (quoted(column), other)
        })
        .unzip();
    let plan = LogicalPlanBuilder::from(rows)
        .join_detailed(
            others,
            JoinType::LeftAnti,
            (left, right),
            None,
            NullEquality::NullEqualsNull,
        )?
        .build()?;
    Ok(DataFrame::new(state, plan))
}
