use std::sync::Arc;
use std::time::Instant;

use arrow::datatypes::Schema;
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;
use futures::future::try_join_all;

use super::als_sql::{self, Calls};
use super::distributed::Plans;
use super::expectations::{Checker, Passed};
use super::{Checked, Decision, Inputs, Node, PipelineError, StepProgress, chain, expectations};
use crate::cluster::Client;
use crate::config::Mode;
use crate::engine::{self, Engine};
use crate::lake::write::{Layout, Written, conform, write_streams};
use crate::lake::{Commit, CommitMode, KeyFiles, Lake, LakeError, Merge, Version, schema};

/// The column that holds a merge's `delete` predicate while it runs.
pub(super) const DELETED: &str = "__deleted";

/// A step that reads fewer rows than this writes one file.
const ROWS_OF_ONE_FILE: u64 = 256 << 10;

/// What one step did.
#[derive(Debug, Clone)]
pub(super) struct Done {
    /// Rows that its scans gave.
    pub read: u64,
    /// Rows in its new files.
    pub written: u64,
    /// Bytes of the records that its sources gave.
    pub bytes: u64,
    /// The version that holds them.
    pub version: Version,
    /// What its expectations found.
    pub checked: Vec<Checked>,
    /// Records of its input that the SQL fails on, and that were left out.
    pub failed: u64,
}

/// What a step works with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tools<'a> {
    /// What plans the step.
    pub engine: &'a Engine,
    /// What plans queries that run in this process.
    pub here: &'a Engine,
    pub lake: &'a Lake,
    /// Where the plans of steps run, if not here.
    pub cluster: Option<&'a Client>,
}

/// Runs the SQL of a step over its inputs and makes the one commit.
pub(super) async fn run(
    tools: Tools<'_>,
    node: &Node,
    inputs: &Inputs,
    progress: &Arc<StepProgress>,
) -> Result<Done, PipelineError> {
    let session = tools.engine.session(&inputs.bindings).await;
    let session = session.map_err(|source| query_error(node, source))?;
    let result = result(node, &session).await?;
    write(tools, node, inputs, &session, result, progress).await
}

/// Runs the SQL of a step over its inputs in this process, and drops the rows.
///
/// # Errors
/// As [`run`] before it writes.
pub(super) async fn rehearse(tools: Tools<'_>, node: &Node, inputs: &Inputs) -> Result<(), PipelineError> {
    let query = |source| query_error(node, source);
    let session = tools.here.session(&inputs.bindings).await.map_err(query)?;
    let result = result(node, &session).await?;
    let layout = layout(node, inputs, result.schema().as_arrow()).map_err(|source| node.lake_error(source))?;
    let merge = Merge::new(node.name(), &node.step.key, node.step.delete.as_ref().map(|_| DELETED));
    let plan = result.create_physical_plan().await.map_err(query)?;
    let streams = streams(node, &session, &plan, &merge, &Arc::default()).map_err(query)?;
    let drained = streams.into_iter().map(async |mut stream| {
        while let Some(batch) = stream.try_next().await? {
            conform(&batch, &layout.schema)?;
        }
        Ok(())
    });
    try_join_all(drained).await.map(drop).map_err(query)
}

/// Writes a result as the step's mode says, and makes the one commit.
pub(super) async fn write(
    tools: Tools<'_>,
    node: &Node,
    inputs: &Inputs,
    session: &SessionContext,
    result: DataFrame,
    progress: &Arc<StepProgress>,
) -> Result<Done, PipelineError> {
    let attempt = |by_queries| attempt(tools, node, inputs, session, &result, progress, by_queries);
    match attempt(Calls::Asking).await {
        Err(error) if als_sql::is_out_of_memory(&error) => {
            let plan = result.clone().create_physical_plan().await;
            if !als_sql::has_a_way_out(&plan.map_err(|source| query_error(node, source))?) {
                return Err(error);
            }
            tracing::warn!(
                step = %node.name(),
                reason = chain(&error, ": "),
                "memory does not hold the model: it is trained by queries, as with als_train(…, engine => 'sql')"
            );
            progress.restart();
            attempt(Calls::All).await
        }
        done => done,
    }
}

/// The same, with these calls of `als_train` done by queries.
async fn attempt(
    tools: Tools<'_>,
    node: &Node,
    inputs: &Inputs,
    session: &SessionContext,
    result: &DataFrame,
    progress: &Arc<StepProgress>,
    by_queries: Calls,
) -> Result<Done, PipelineError> {
    let failed = |source| node.lake_error(source);
    let query = |source| query_error(node, source);
    let layout = layout(node, inputs, result.schema().as_arrow()).map_err(failed)?;
    let merge = Merge::new(node.name(), &node.step.key, node.step.delete.as_ref().map(|_| DELETED))
        .with_null_keys(expectations::null_keys(node));
    let merge = match (&inputs.decision, tools.cluster) {
        (Decision::Incremental, None) => merge.keeping_keys(session.task_ctx().memory_pool()),
        _ => merge,
    };

    let mut plan = result.clone().create_physical_plan().await.map_err(query)?;
    if als_sql::trains(&plan, by_queries) {
        plan = als_sql::in_parts(session, result).await.map_err(query)?;
    }
    // What fits into one file well is not spread over several.
    if inputs.waiting.is_some_and(|rows| rows < ROWS_OF_ONE_FILE) && plan.output_partitioning().partition_count() > 1 {
        plan = Arc::new(CoalescePartitionsExec::new(plan));
    }
    let started = Instant::now();
    let plans = Plans {
        client: tools.cluster,
        node,
        progress,
        session,
        table: &inputs.target,
        layout: &layout,
    };
    let (plan, trained) = als_sql::train(plan, by_queries, &plans).await?;
    let written = files(&plan, &plans, &merge, &inputs.decision).await;
    trained.forget(&plans).await;
    let (written, keys) = written?;
    let measured = DisplayableExecutionPlan::with_metrics(plan.as_ref());
    tracing::debug!(step = %node.name(), took = ?started.elapsed(), plan = %measured.indent(false), "wrote the result");
    let checker = Checker {
        tools,
        node,
        inputs,
        layout: &layout,
    };
    let Passed {
        written,
        checked,
        aside,
    } = checker.check(written).await?;
    let keys = match node.step.mode {
        Mode::Merge if !aside.is_empty() || merge.may_have_null_keys(&written.files) => {
            checker.keys_of(&merge, &plans, &written, keys).await?
        }
        _ => keys,
    };
    let mode = match (&inputs.decision, node.step.mode) {
        (Decision::Incremental, Mode::Append) => CommitMode::Append,
        (Decision::Incremental, Mode::Merge) => match tools.cluster {
            Some(_) => plans.merge(&merge, &keys).await?,
            None => {
                let finished = merge.finish(&inputs.target, session, &layout).await;
                finished.map_err(|error| of_query(node, error))?
            }
        },
        _ => CommitMode::Overwrite,
    };
    // Nothing but the commit can fail now; a row that is put aside again is in the quarantine once.
    checker.save(&aside).await?;
    tracing::debug!(step = %node.name(), took = ?started.elapsed(), "ready to commit");
    let commit = Commit {
        mode,
        layout,
        files: written.files,
        transactions: inputs.transactions.clone(),
    };
    let version = commit.apply(&inputs.target).await.map_err(failed)?;
    Ok(Done {
        read: progress.rows_read(),
        written: written.rows,
        bytes: progress.bytes_read(),
        version,
        checked,
        failed: 0,
    })
}

/// Writes the rows of a plan; with the files that hold the keys of a merge, where a cluster writes.
async fn files(
    plan: &Arc<dyn ExecutionPlan>,
    plans: &Plans<'_>,
    merge: &Merge,
    decision: &Decision,
) -> Result<(Written, KeyFiles), PipelineError> {
    if plans.client.is_some() {
        return plans.write(plan.clone(), decision).await;
    }
    let node = plans.node;
    plans.progress.watch(plan.clone());
    let streams =
        streams(node, plans.session, plan, merge, plans.progress).map_err(|source| query_error(node, source))?;
    let written = write_streams(plans.table, streams, plans.layout).await;
    Ok((written.map_err(|error| of_query(node, error))?, KeyFiles::default()))
}

pub(super) fn of_query(node: &Node, error: LakeError) -> PipelineError {
    match error {
        LakeError::Query(source) => query_error(node, source),
        other => node.lake_error(other),
    }
}

/// The step's query, with its `delete` predicate as a further column.
pub(super) async fn result(node: &Node, session: &SessionContext) -> Result<DataFrame, PipelineError> {
    let planning = |source| plan_error(node, &source);
    let result = engine::query(session, &node.step.sql).await.map_err(planning)?;
    let described = node.step.columns.keys().cloned().collect();
    let of_step = [
        ("key", &node.step.key),
        ("partition_by", &node.step.partition_by),
        ("cluster_by", &node.step.cluster_by),
        ("described", &described),
    ];
    for (setting, column) in of_step
        .iter()
        .flat_map(|(setting, columns)| columns.iter().map(move |c| (setting, c)))
    {
        if result.schema().field_with_unqualified_name(column).is_err() {
            let columns: Vec<&str> = result
                .schema()
                .fields()
                .iter()
                .map(|field| field.name().as_str())
                .collect();
            let message = format!(
                "the {setting} column `{column}` of `{}` is not in the result; it has {}",
                node.name(),
                columns.join(", ")
            );
            return Err(planning(DataFusionError::Plan(message)));
        }
    }
    match &node.step.delete {
        None => Ok(result),
        Some(predicate) => {
            let deleted = result
                .parse_sql_expr(predicate)
                .and_then(|deleted| result.clone().with_column(DELETED, deleted.is_true()));
            deleted.map_err(|error| {
                let message = format!(
                    "`delete: {predicate}` of `{}`: {}",
                    node.name(),
                    error.strip_backtrace()
                );
                planning(DataFusionError::Plan(message))
            })
        }
    }
}

/// The SQL does not plan: an error with its place in the file, where DataFusion knows it.
pub(super) fn plan_error(node: &Node, error: &DataFusionError) -> PipelineError {
    let (at, message) = planning_message(error);
    PipelineError::Sql {
        file: node.step.file.clone(),
        at,
        message,
    }
}

/// Where in a statement DataFusion found something wrong, and what.
pub(super) fn planning_message(error: &DataFusionError) -> (Option<(u64, u64)>, String) {
    let span = error.diagnostic().and_then(|diagnostic| diagnostic.span);
    let message = error.strip_backtrace();
    // Where no signature of a function fits, DataFusion says so last, after asking for a bug report.
    let message = message
        .find("No function matches")
        .map_or(&*message, |last| &message[last..]);
    let message = message
        .trim_start_matches("Error during planning: ")
        .trim_start_matches("Schema error: ");
    (
        span.map(|span| (span.start.line, span.start.column)),
        message.to_owned(),
    )
}

pub(super) fn query_error(node: &Node, source: DataFusionError) -> PipelineError {
    PipelineError::Query {
        step: node.name().to_string(),
        file: node.step.file.clone(),
        source: Box::new(source),
    }
}

/// How the result will lie in the table.
fn layout(node: &Node, inputs: &Inputs, result: &Schema) -> Result<Layout, LakeError> {
    let stored = stored_schema(node, result)?;
    if inputs.decision == Decision::Incremental {
        fits(node, inputs.target.schema()?.as_deref(), &stored)?;
    }
    Ok(Layout {
        schema: stored,
        partition_by: node.step.partition_by.clone(),
    })
}

/// The columns of a step's table, from those of its result.
pub(super) fn stored_schema(node: &Node, result: &Schema) -> Result<Arc<Schema>, LakeError> {
    let columns: Vec<_> = result
        .fields()
        .iter()
        .filter(|field| field.name() != DELETED)
        .cloned()
        .collect();
    schema::storable(node.name(), &Schema::new(columns))
}

/// Adding to a table may add columns at its end, but not take columns away or change their types.
fn fits(node: &Node, table: Option<&Schema>, result: &Schema) -> Result<(), LakeError> {
    for old in table.iter().flat_map(|schema| schema.fields()) {
        let reason = match result.field_with_name(old.name()) {
            Ok(new) if new.data_type() == old.data_type() => continue,
            Ok(new) => format!(
                "column `{}` is {} in the table and {} in the result",
                old.name(),
                old.data_type(),
                new.data_type()
            ),
            Err(_) => format!("column `{}` of the table is missing in the result", old.name()),
        };
        return Err(LakeError::Schema {
            table: node.name().to_string(),
            reason,
            help: format!(
                "keep the column as it was, or rebuild with: clickrec run --full-refresh --select {}+",
                node.name()
            ),
        });
    }
    Ok(())
}

/// One stream a partition of the plan, counted, and stripped of the rows that only delete.
fn streams(
    node: &Node,
    session: &SessionContext,
    plan: &Arc<dyn ExecutionPlan>,
    merge: &Merge,
    progress: &Arc<StepProgress>,
) -> Result<Vec<SendableRecordBatchStream>, DataFusionError> {
    let partitions = 0..plan.output_partitioning().partition_count();
    partitions
        .map(|partition| {
            let stream = plan.execute(partition, session.task_ctx())?;
            let stream = if node.step.mode == Mode::Merge {
                merge.pass(stream)?
            } else {
                stream
            };
            Ok(counted(stream, progress.clone()))
        })
        .collect()
}

fn counted(stream: SendableRecordBatchStream, progress: Arc<StepProgress>) -> SendableRecordBatchStream {
    let schema = stream.schema();
    let stream = stream.inspect_ok(move |batch| {
        progress.add_written(batch.num_rows());
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, stream))
}
