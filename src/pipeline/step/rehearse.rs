//! Runs the SQL of a step without writing, so that `bisect` sees whether it fails on some records.

use datafusion::error::DataFusionError;
use futures::TryStreamExt;
use futures::future::try_join_all;

use super::Tools;
use super::plan::result;
use super::shape::{merge, shape};
use crate::backend::Job;
use crate::lake::write::conform;
use crate::pipeline::step_error::query_error;
use crate::pipeline::{Inputs, Node, PipelineError};

/// Runs the SQL of a step over its inputs in this process, and drops the rows.
///
/// # Errors
/// As [`super::run`] before it writes.
pub async fn rehearse(tools: Tools<'_>, node: &Node, inputs: &Inputs) -> Result<(), PipelineError> {
    let query = |source| query_error(node, source);
    let session = tools.engine_here().session(&inputs.bindings).await.map_err(query)?;
    let result = result(node, &session).await?;
    let layout = shape(node, inputs, &result)?.layout;
    let plan = result.create_physical_plan().await.map_err(query)?;
    let job = Job {
        step: node.name(),
        session: &session,
        progress: None,
    };
    let streams = tools.here.streams(job, &plan, merge(node).as_ref()).map_err(query)?;
    let drained = streams.into_iter().map(async |mut stream| {
        while let Some(batch) = stream.try_next().await? {
            conform(&batch, &layout.schema)?;
        }
        Ok::<_, DataFusionError>(())
    });
    try_join_all(drained).await.map(drop).map_err(query)
}
