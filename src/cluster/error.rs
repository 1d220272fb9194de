use datafusion::error::DataFusionError;

/// What Ballista's words say of faults that pass.
const PASSING: [&str; 5] = [
    "IoError",
    "IO error",
    "Object Store error",
    "executors were lost",
    "does not answer",
];
/// What is said where an executor went while others, or the client, read its shuffles.
const LOST_EXECUTOR: [&str; 6] = [
    ClusterError::LOST_EXECUTOR,
    "h2 protocol error",
    "transport error",
    "broken pipe",
    "error reading a body from connection",
    "could not be fetched",
];

/// What is said where a kernel cannot take a value, in the words of Arrow and in those of its types.
const OF_DATA: [&str; 13] = [
    "Cast error",
    "CastError",
    "Parser error",
    "ParseError",
    "Compute error",
    "ComputeError",
    "Divide by zero",
    "DivideByZero",
    "Arithmetic overflow",
    "ArithmeticOverflow",
    "Execution error",
    "Execution(",
    "has NULLs in the result",
];

impl ClusterError {
    /// Why a scheduler of ours cancels a job.
    pub(super) const LOST_EXECUTOR: &str = "an executor was lost in the middle of it";

    /// Whether the same may go well a little later.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Forgotten { .. } => true,
            Self::Failed { reason, .. } => {
                PASSING.iter().any(|words| reason.contains(words)) || self.has_lost_an_executor()
            }
            _ => false,
        }
    }

    /// Whether the job failed as one executor went: the others can do it.
    pub fn has_lost_an_executor(&self) -> bool {
        matches!(self, Self::Failed { reason, .. } if LOST_EXECUTOR.iter().any(|words| reason.contains(words)))
    }

    /// Whether a value in the data may have made the job fail.
    pub fn is_of_data(&self) -> bool {
        matches!(self, Self::Failed { reason, .. } if OF_DATA.iter().any(|words| reason.contains(words)))
    }

    /// Whether the executors' memory was too small for the work.
    pub fn is_out_of_memory(&self) -> bool {
        matches!(self, Self::Failed { reason, .. } if reason.contains("ResourcesExhausted"))
    }
}

/// Why a plan did not run on a cluster. Nothing was committed.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// Nobody answers at the scheduler's address, or no longer.
    #[error(
        "the scheduler at {address} does not answer: {reason}\n  help: start it with `clickrec scheduler`, or run here \
         with `--engine local`; nothing was committed, and the next run goes on from there"
    )]
    Unreachable {
        /// `host:port`.
        address: String,
        /// What the connection said.
        reason: String,
    },
    /// The scheduler does not take the plan.
    #[error(
        "the scheduler at {address} does not take the plan: {reason}\n  help: run the same version of clickrec everywhere"
    )]
    Refused {
        /// `host:port`.
        address: String,
        /// Its words.
        reason: String,
    },
    /// The scheduler does not know the job that it was given: it was started anew.
    #[error(
        "the scheduler at {address} has forgotten the job {job}: it was started anew\n  help: run again; nothing was \
         committed"
    )]
    Forgotten {
        /// `host:port`.
        address: String,
        /// Ballista's name of the job.
        job: String,
    },
    /// The job failed on the cluster.
    #[error("the cluster could not do the job {job}: {reason}")]
    Failed {
        /// Ballista's name of the job.
        job: String,
        /// Its words.
        reason: String,
    },
    /// A node of the plan cannot be sent.
    #[error("the plan cannot be sent to a cluster: {0}\n  help: run the step here, with `--engine local`")]
    Plan(#[source] DataFusionError),
    /// The settings of a process do not fit.
    #[error("{0}")]
    Settings(String),
    /// The process of a cluster ended.
    #[error("{what} ended: {reason}")]
    Process {
        /// `the scheduler`, `the executor`.
        what: &'static str,
        /// Why.
        reason: String,
    },
}
