//! Writes the rows of a step's plan to files that no reader sees yet: computes the calls that need queries of their own
//! (`by_queries::compute`; most plans have none, and stay as they are), then has the backend write.
//!
//! If memory does not suffice for a call of the plan (`als_train`), the write starts over, with queries:
//!
//! - here: notices that memory does not suffice, plans again, and writes again.
//! - `backend/by_queries.rs`: takes the calls out of the plan, and runs their queries on the backend.
//! - `udfs/src/relation/by_queries.rs`: the interface between a call and whoever runs its queries.
//! - `udfs/src/als_sql/train.rs`: the queries of `als_train`.

use std::sync::Arc;
use std::time::Instant;

use datafusion::dataframe::DataFrame;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::display::DisplayableExecutionPlan;

use super::Attempt;
use super::plan::physical;
use super::shape::Shape;
use crate::backend::MergeKeys;
use crate::backend::by_queries::{self, Calls};
use crate::lake::write::Written;
use crate::pipeline::step_error::backend_error;
use crate::pipeline::{Failure, PipelineError, chain};

/// What a step has written.
#[derive(Debug)]
pub struct Wrote {
    /// Files that no reader sees yet.
    pub files: Written,
    /// The keys of a merge.
    pub keys: MergeKeys,
}

/// Writes the rows of a result's plan. If memory does not suffice, and calls of the plan can be computed by queries, it
/// is planned and run again that way. The plan is consumed, with whatever it holds in memory.
pub async fn write(
    attempt: Attempt<'_>,
    shape: &Shape,
    result: &DataFrame,
    plan: Arc<dyn ExecutionPlan>,
) -> Result<Wrote, PipelineError> {
    let way_out = by_queries::way_out(&plan);
    match (rows(attempt, shape, plan, Calls::Required).await, way_out) {
        (Err(error), Some(notice)) if error.failure() == Failure::OutOfMemory => {
            tracing::warn!(step = %attempt.node.name(), reason = chain(&error, ": "), "{notice}");
            attempt.progress.restart();
            let plan = physical(attempt, result, Calls::Possible).await?;
            rows(attempt, shape, plan, Calls::Possible).await
        }
        (wrote, _) => wrote,
    }
}

/// Writes the rows of a plan, with these calls computed by queries first.
async fn rows(
    attempt: Attempt<'_>,
    shape: &Shape,
    plan: Arc<dyn ExecutionPlan>,
    by: Calls,
) -> Result<Wrote, PipelineError> {
    let started = Instant::now();
    let failed = |error| backend_error(attempt.node, error);
    let (backend, table) = (attempt.tools.backend, &attempt.inputs.target);
    let computed = by_queries::compute(backend, attempt.job(), table, plan, by).await;
    let (plan, results) = computed.map_err(failed)?;
    let written = backend.write(attempt.job(), plan.clone(), attempt.target(shape)).await;
    results.delete(table).await;
    let (files, keys) = written.map_err(failed)?;
    let measured = DisplayableExecutionPlan::with_metrics(plan.as_ref());
    let step = attempt.node.name();
    tracing::debug!(%step, took = ?started.elapsed(), plan = %measured.indent(false), "wrote the result");
    Ok(Wrote { files, keys })
}
