//! Where the plans of steps run: in this process, or on a cluster. Whoever runs a step knows [`Backend`], and not which
//! one it is.
//!
//! - [`Backend`]: what a step needs done: rows written to files, keys merged, queries run.
//! - [`Job`], [`Target`]: what plans are run for, and where their rows go.
//! - [`LocalBackend`]: in this process.
//! - `cluster`: on the executors of a cluster.
//! - [`by_queries`]: calls that are computed by queries on a backend, for data that memory does not hold.
//! - [`MergeKeys`] (`merge_keys`): where the keys of a merge's result are until their old rows are found: in memory or
//!   in files.
//! - [`StepProgress`]: how far it is.
//! - [`open`](fn@open): the backend that a project names.

pub mod by_queries;
mod cluster;
mod error;
mod job;
mod local;
mod merge_keys;
mod open;
mod progress;

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{SessionConfig, SessionContext};
use deltalake::kernel::Add;

use crate::cluster::{ClusterError, ClusterState};
use crate::engine::Engine;
use crate::lake::CommitMode;
use crate::lake::write::Written;

pub use error::BackendError;
pub use job::{Job, Target};
pub use local::LocalBackend;
pub use merge_keys::MergeKeys;
pub use open::open;
pub use progress::StepProgress;

/// How a plan is split into stages: the number of tasks of each, in order. Runs nothing.
pub type SplitIntoStages = fn(Arc<dyn ExecutionPlan>, &SessionConfig) -> Result<Vec<usize>, BackendError>;

/// The other processes that a backend runs plans on.
#[derive(Debug)]
pub struct BackendStatus {
    /// The scheduler's address, `host:port`.
    pub scheduler: String,
    /// Its executors and jobs.
    pub state: Result<ClusterState, ClusterError>,
}

/// Runs the plans of steps.
///
/// A merge takes up to three calls: [`Backend::write`] its rows, [`Backend::keys_of`] what is left of them if some were
/// taken out since, [`Backend::merge`] them with the rest of the table. Nothing is committed here.
#[async_trait]
pub trait Backend: fmt::Debug + Send + Sync {
    /// What plans queries for it.
    fn engine(&self) -> &Engine;

    /// Runs a plan whose result is small.
    ///
    /// # Errors
    /// When the plan fails.
    async fn collect(&self, job: Job<'_>, plan: Arc<dyn ExecutionPlan>) -> Result<Vec<RecordBatch>, BackendError>;

    /// Writes the rows of a plan to files that no reader sees yet, as they come. Returns the files, and the keys of a
    /// merge that keeps the rest of the table.
    ///
    /// # Errors
    /// When the plan fails or the store refuses; files already written are left to vacuum.
    async fn write(
        &self,
        job: Job<'_>,
        plan: Arc<dyn ExecutionPlan>,
        to: Target<'_>,
    ) -> Result<(Written, MergeKeys), BackendError>;

    /// The keys of a merge again, from the files that are left of what was written. `here` is a session of this process
    /// that can read them.
    ///
    /// # Errors
    /// When a key is NULL, or a file cannot be read.
    async fn keys_of(
        &self,
        to: Target<'_>,
        here: &SessionContext,
        files: &[Add],
        keys: MergeKeys,
    ) -> Result<MergeKeys, BackendError>;

    /// Finds the files that hold old rows of these keys, and writes what remains of them.
    ///
    /// # Errors
    /// When the table cannot be read or written.
    async fn merge(&self, job: Job<'_>, to: Target<'_>, keys: MergeKeys) -> Result<CommitMode, BackendError>;

    /// How plans are split, if several processes share them.
    fn stages(&self) -> Option<SplitIntoStages> {
        None
    }

    /// The other processes that it runs plans on, and what they do; `None` if there are none.
    async fn status(&self) -> Option<BackendStatus> {
        None
    }
}
