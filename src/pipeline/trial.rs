//! A step over tables in memory, without a lake: for unit tests of a project's SQL (`testing` calls it). The table
//! changes as the step's mode says, also by a merge.

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use datafusion::error::DataFusionError;
use datafusion::physical_plan::collect;
use datafusion::physical_plan::memory::MemoryStream;
use futures::TryStreamExt;

use super::step::{DELETED, result, stored_schema};
use super::step_error::query_error;
use super::{Node, PipelineError};
use crate::config::Mode;
use crate::engine::{Bindings, Engine};
use crate::lake::write::conform;
use crate::lake::{LakeError, Merge};

/// What a step made of tables in memory.
#[derive(Debug)]
pub struct Trial {
    /// The rows that its SQL returns, those that only delete among them.
    pub result: RecordBatch,
    /// Its table afterward.
    pub table: RecordBatch,
}

/// Runs a step's SQL over what `bindings` hold, and puts the result into its table as the step's mode says; `before`
/// are the rows that the table has. Nothing is written.
///
/// # Errors
/// When the SQL fails, or the result does not fit the table: as in a real run.
pub async fn trial(
    engine: &Engine,
    node: &Node,
    bindings: &Bindings,
    before: RecordBatch,
) -> Result<Trial, PipelineError> {
    let query = |source: DataFusionError| query_error(node, source);
    let of_lake = |error| match error {
        LakeError::Query(source) => query(source),
        other => node.lake_error(other),
    };
    let session = engine.session(bindings).await.map_err(query)?;
    let planned = result(node, &session).await?;
    let stored = stored_schema(node, planned.schema().as_arrow()).map_err(of_lake)?;
    let plan = planned.create_physical_plan().await.map_err(query)?;
    let schema = plan.schema();
    let rows = collect(plan, session.task_ctx()).await.map_err(query)?;
    let together = |batches: &[RecordBatch]| {
        let batches = batches.iter().map(|batch| conform(batch, &stored));
        let batches = batches.collect::<Result<Vec<_>, _>>().map_err(query)?;
        concat_batches(&stored, &batches).map_err(|error| query(error.into()))
    };
    let result = together(&rows)?;
    let table = match node.step.mode {
        Mode::View | Mode::Overwrite => result.clone(),
        Mode::Append => together(&[before, result.clone()])?,
        Mode::Merge => {
            let merge = Merge::new(node.name(), &node.step.key, node.step.delete.as_ref().map(|_| DELETED));
            let merge = merge.keeping_keys(session.task_ctx().memory_pool());
            let stream = MemoryStream::try_new(rows, schema, None).map_err(query)?;
            let passed = merge.pass(Box::pin(stream)).map_err(query)?;
            let passed: Vec<RecordBatch> = passed.try_collect().await.map_err(query)?;
            let mut table = merge.others(before, &session).await.map_err(of_lake)?;
            table.extend(passed);
            together(&table)?
        }
    };
    Ok(Trial { result, table })
}
