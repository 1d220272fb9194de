//! A step, from its SQL to its one commit, in phases. Rows stream from `plan` to `write`; what later phases pass on are
//! the names of files.
//!
//! - `shape`: how the result fits the table.
//! - `shared`: what the phases work with, and what they did.
//! - `plan`: the query, and its plan.
//! - `write`: the rows into files that no reader sees yet.
//! - `expectations` (`check`): rows that violate one are quarantined, and removed from the files.
//! - `merge`: what remains of the table next to the new rows.
//! - `commit`: the quarantine, then the files.
//! - `rehearse`: `plan` and `write` without the files.

mod commit;
mod expectations;
mod merge;
mod plan;
mod rehearse;
mod shape;
mod shared;
#[cfg(test)]
mod tests;
mod write;

use std::sync::Arc;
use std::time::Instant;

use datafusion::dataframe::DataFrame;

use super::step_error::query_error;
use super::{Inputs, Node, PipelineError, StepProgress};
use crate::backend::by_queries::Calls;

pub(super) use plan::result;
pub(super) use rehearse::rehearse;
pub(super) use shape::{DELETED, fits, stored_schema};
pub(super) use shared::{Attempt, Done, Tools};

/// Runs the SQL of a step over its inputs and makes the one commit.
pub(super) async fn run(
    tools: Tools<'_>,
    node: &Node,
    inputs: &Inputs,
    progress: &Arc<StepProgress>,
) -> Result<Done, PipelineError> {
    let session = tools.backend.engine().session(&inputs.bindings).await;
    let session = session.map_err(|source| query_error(node, source))?;
    let result = result(node, &session).await?;
    let attempt = Attempt {
        tools,
        node,
        inputs,
        session: &session,
        progress,
    };
    attempt.complete(&result).await
}

impl Attempt<'_> {
    /// Writes a result as the step's mode says, and makes the one commit.
    pub async fn complete(self, result: &DataFrame) -> Result<Done, PipelineError> {
        let shape = shape::shape(self.node, self.inputs, result)?;
        let plan = plan::physical(self, result, Calls::Required).await?;
        let started = Instant::now();
        let wrote = write::write(self, &shape, result, plan).await?;
        let passed = expectations::check(self, &shape.layout, wrote.files).await?;
        let mode = merge::merge(self, &shape, &passed, wrote.keys).await?;
        tracing::debug!(step = %self.node.name(), took = ?started.elapsed(), "ready to commit");
        commit::commit(self, shape.layout, passed, mode).await
    }
}
