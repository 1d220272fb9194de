//! A step, from its SQL to its one commit, in phases. Rows stream from the first to the second; what is between the others
//! are the names of files.
//!
//! - `plan`: the query, how its result will lie in the table, and the plan of both.
//! - `write`: the rows into files that no reader sees yet.
//! - `check`: expectations; rows that are put aside are in none of the files any more.
//! - `merge`: what remains of the table beside the new rows.
//! - `commit`: the quarantine, then the files.
//! - `rehearse`: the first two without the files.

mod check;
mod commit;
mod merge;
mod plan;
mod rehearse;
#[cfg(test)]
mod tests;
mod write;

use std::sync::Arc;
use std::time::Instant;

use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;

use super::{Checked, Inputs, Node, PipelineError, StepProgress};
use crate::backend::by_queries::Calls;
use crate::backend::{Backend, BackendError, Job, LocalBackend, Target};
use crate::engine::Engine;
use crate::lake::{Lake, Version};

pub(super) use plan::{DELETED, Shape, plan_error, planning_message, result, stored_schema};
pub(super) use rehearse::rehearse;

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
    /// What runs the plans of the step.
    pub backend: &'a dyn Backend,
    /// What runs plans in this process.
    pub here: &'a LocalBackend,
    pub lake: &'a Lake,
}

impl<'a> Tools<'a> {
    /// For what runs in this process, wherever steps run.
    pub fn local(self) -> Self {
        Self {
            backend: self.here,
            ..self
        }
    }

    /// What plans queries that run in this process.
    pub fn engine(self) -> &'a Engine {
        self.here.engine()
    }
}

/// One attempt at a step, over inputs as they are now.
#[derive(Clone, Copy)]
pub(super) struct Attempt<'a> {
    pub tools: Tools<'a>,
    pub node: &'a Node,
    pub inputs: &'a Inputs,
    /// Where its SQL is planned: a session of the backend's engine.
    pub session: &'a SessionContext,
    pub progress: &'a Arc<StepProgress>,
}

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

impl<'a> Attempt<'a> {
    /// Writes a result as the step's mode says, and makes the one commit.
    pub async fn complete(self, result: &DataFrame) -> Result<Done, PipelineError> {
        let shape = plan::shape(self.node, self.inputs, result)?;
        let plan = plan::physical(self, result, Calls::Required).await?;
        let started = Instant::now();
        let wrote = write::write(self, &shape, result, plan).await?;
        let passed = check::check(self, &shape.layout, wrote.files).await?;
        let mode = merge::merge(self, &shape, &passed, wrote.keys).await?;
        tracing::debug!(step = %self.node.name(), took = ?started.elapsed(), "ready to commit");
        commit::commit(self, shape.layout, passed, mode).await
    }

    fn job(self) -> Job<'a> {
        Job {
            step: self.node.name(),
            session: self.session,
            progress: Some(self.progress),
        }
    }

    fn target<'s>(self, shape: &'s Shape) -> Target<'s>
    where
        'a: 's,
    {
        Target {
            table: &self.inputs.target,
            layout: &shape.layout,
            merge: shape.merge.as_ref(),
            keeps_rest: shape.keeps_rest,
        }
    }
}

pub(super) fn query_error(node: &Node, source: DataFusionError) -> PipelineError {
    PipelineError::Query {
        step: node.name().to_string(),
        file: node.step.file.clone(),
        source: Box::new(source),
    }
}

/// A plan of the step did not run, or the lake refused what it wrote.
pub(super) fn backend_error(node: &Node, error: BackendError) -> PipelineError {
    match error {
        BackendError::Query(source) => query_error(node, source),
        BackendError::Lake(source) => node.lake_error(source),
        BackendError::Cluster(source) => PipelineError::Cluster {
            step: node.name().to_string(),
            source,
        },
    }
}
