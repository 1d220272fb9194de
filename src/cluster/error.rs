//! Why a plan did not run on a cluster, and what follows: whether it may pass, was the data's fault, lacked memory, or
//! lost an executor.

use datafusion::error::DataFusionError;

use super::texts;

impl ClusterError {
    /// Whether a retry may succeed a little later.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Forgotten { .. } => true,
            Self::Failed { reason, .. } => texts::is_passing(reason),
            _ => false,
        }
    }

    /// Whether the job failed because an executor was lost: the remaining ones can run it.
    pub fn has_lost_an_executor(&self) -> bool {
        matches!(self, Self::Failed { reason, .. } if texts::has_lost_an_executor(reason))
    }

    /// Whether a value in the data may have made the job fail.
    pub fn is_of_data(&self) -> bool {
        matches!(self, Self::Failed { reason, .. } if texts::is_of_data(reason))
    }

    /// Whether the executors did not have enough memory for the work.
    pub fn is_out_of_memory(&self) -> bool {
        matches!(self, Self::Failed { reason, .. } if texts::is_out_of_memory(reason))
    }
}

/// Why a plan did not run on a cluster. Nothing was committed.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// Nothing answers at the scheduler's address anymore, or ever did.
    #[error(
        "the scheduler at {address} does not answer: {reason}\n  help: start it with `clickrec scheduler`, or run the \
         step locally, with `--engine local`; nothing was committed, and the next run starts where the last commit ended"
    )]
    Unreachable {
        /// `host:port`.
        address: String,
        /// The connection error.
        reason: String,
    },
    /// The scheduler rejects the plan.
    #[error(
        "the scheduler at {address} rejected the plan: {reason}\n  help: run the same version of clickrec everywhere"
    )]
    Refused {
        /// `host:port`.
        address: String,
        /// The scheduler's message.
        reason: String,
    },
    /// The scheduler answers, but not with what was requested.
    #[error(
        "cannot read the answer of the scheduler at {address}: {reason}\n  help: run the same version of clickrec \
         everywhere"
    )]
    Unreadable {
        /// `host:port`.
        address: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// The scheduler does not know the job, because it was restarted.
    #[error(
        "the scheduler at {address} was restarted and no longer knows job {job}\n  help: run again; nothing was \
         committed"
    )]
    Forgotten {
        /// `host:port`.
        address: String,
        /// Ballista's ID of the job.
        job: String,
    },
    /// The job failed on the cluster.
    #[error("job {job} failed on the cluster: {reason}")]
    Failed {
        /// Ballista's ID of the job.
        job: String,
        /// Ballista's message.
        reason: String,
    },
    /// A plan node cannot be serialized.
    #[error("the plan cannot be sent to a cluster: {0}\n  help: run the step locally, with `--engine local`")]
    Plan(#[source] DataFusionError),
    /// Invalid settings of a cluster process.
    #[error("{0}")]
    Settings(String),
    /// A cluster process ended.
    #[error("{what} ended: {reason}")]
    Process {
        /// `the scheduler`, `the executor`.
        what: &'static str,
        /// Why.
        reason: String,
    },
}
