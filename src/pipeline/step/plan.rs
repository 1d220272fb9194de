//! The query of a step, and the physical plan of its result. Where the plan holds calls that are computed by queries,
//! it is planned so that they can be taken out of it (`backend/by_queries.rs`). The rows of a step that reads fewer
//! than 262,144 go to one writer, and so into one file.

use std::sync::Arc;

use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use datafusion::prelude::SessionContext;

use super::Attempt;
use super::shape::DELETED;
use crate::backend::by_queries::{self, Calls};
use crate::engine;
use crate::pipeline::step_error::{plan_error, query_error};
use crate::pipeline::{Node, PipelineError};

/// A step that reads fewer rows than this writes one file.
const ROWS_OF_ONE_FILE: u64 = 256 << 10;

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
                "the {setting} column `{column}` of `{}` is not in the result, which has {}",
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
