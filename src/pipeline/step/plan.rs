use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use datafusion::prelude::SessionContext;

use super::{Attempt, query_error};
use crate::backend::by_queries::{self, Calls};
use crate::config::Mode;
use crate::engine;
use crate::lake::write::Layout;
use crate::lake::{LakeError, Merge, schema};
use crate::pipeline::{Decision, Inputs, Node, PipelineError, expectations};

/// The column that holds a merge's `delete` predicate while it runs.
pub const DELETED: &str = "__deleted";

/// A step that reads fewer rows than this writes one file.
const ROWS_OF_ONE_FILE: u64 = 256 << 10;

/// How the result of a step goes into its table.
#[derive(Debug)]
pub struct Shape {
    pub layout: Layout,
    /// Set if its rows replace those of the same keys.
    pub merge: Option<Merge>,
    /// Whether it leaves other rows of the table where they are.
    pub keeps_rest: bool,
}

/// How a result goes into the table of the step.
pub fn shape(node: &Node, inputs: &Inputs, result: &DataFrame) -> Result<Shape, PipelineError> {
    let layout = layout(node, inputs, result.schema().as_arrow());
    Ok(Shape {
        layout: layout.map_err(|source| node.lake_error(source))?,
        merge: merge(node).map(|merge| merge.with_null_keys(expectations::null_keys(node))),
        keeps_rest: inputs.decision == Decision::Incremental,
    })
}

/// The merge of a step of that mode.
pub fn merge(node: &Node) -> Option<Merge> {
    let deleted = node.step.delete.as_ref().map(|_| DELETED);
    (node.step.mode == Mode::Merge).then(|| Merge::new(node.name(), &node.step.key, deleted))
}

/// The plan of a result. Where it holds such calls, they can be taken out of it.
pub async fn physical(
    attempt: Attempt<'_>,
    result: &DataFrame,
    by: Calls,
) -> Result<Arc<dyn ExecutionPlan>, PipelineError> {
    let query = |source| query_error(attempt.node, source);
    let mut plan = result.clone().create_physical_plan().await.map_err(query)?;
    if by_queries::holds(&plan, by) {
        plan = by_queries::in_parts(attempt.session, result).await.map_err(query)?;
    }
    // What fits into one file well is not spread over several.
    let is_small = attempt.inputs.waiting.is_some_and(|rows| rows < ROWS_OF_ONE_FILE);
    if is_small && plan.output_partitioning().partition_count() > 1 {
        plan = Arc::new(CoalescePartitionsExec::new(plan));
    }
    Ok(plan)
}

/// The step's query, with its `delete` predicate as a further column.
pub async fn result(node: &Node, session: &SessionContext) -> Result<DataFrame, PipelineError> {
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
pub fn plan_error(node: &Node, error: &DataFusionError) -> PipelineError {
    let (at, message) = planning_message(error);
    PipelineError::Sql {
        file: node.step.file.clone(),
        at,
        message,
    }
}

/// Where in a statement DataFusion found something wrong, and what.
pub fn planning_message(error: &DataFusionError) -> (Option<(u64, u64)>, String) {
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
pub fn stored_schema(node: &Node, result: &Schema) -> Result<Arc<Schema>, LakeError> {
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
