//! Runs steps on several machines, with Ballista's scheduler and executors, extended with our functions and plan nodes.
//!
//! A step is planned where `clickrec run` runs, and the plan is sent as it is. Executors read Kafka and files and write
//! data files; they return the names of these files for the single commit that the client makes. Ballista does stages,
//! shuffles and task placement; the client (`cluster/client.rs`) repeats a job that lost an executor.
//!
//! - [`Codec`]: serializes plans. Neither secrets nor stores are sent: executors take their own from the same project.
//! - `prepare`: makes a plan safe for several tasks per stage.
//! - `scattered`: one of our leaves, shared by several tasks.
//! - [`Client`] (`client`): sends a plan, waits, and fetches the result; again if the job lost an executor.
//! - [`ClusterState`]: executors and jobs, as reported by the scheduler.
//! - `placement`: which executors get tasks, and which jobs have to restart.
//! - `texts`: what the errors of a cluster, which arrive as text, are recognized by.
//! - [`stages`](fn@stages): how a plan will be split into stages.
//! - [`scheduler`], [`executor`]: the processes of a cluster.

mod client;
mod codec;
mod error;
pub mod executor;
#[allow(unused_qualifications, reason = "utoipa's macros name types so")]
mod jobs;
mod placement;
mod prepare;
mod scattered;
pub mod scheduler;
mod stages;
mod texts;

use std::sync::Arc;

use ballista_core::extension::SessionConfigExt;
use datafusion::prelude::SessionConfig;

pub use client::{Client, Ran};
pub use codec::Codec;
pub use error::ClusterError;
pub use jobs::{ClusterState, ExecutorState, JobOutcome, JobState};
pub use stages::stages;

/// The maximum message size: plans, and all tasks sent to an executor at once, have to fit.
const MESSAGE_BYTES: usize = 256 << 20;

/// The settings that all processes of a cluster must share, in addition to the options of a plan.
fn session_config() -> SessionConfig {
    SessionConfig::new_with_ballista().with_ballista_grpc_client_max_message_size(MESSAGE_BYTES)
}

/// The options of a session, plus Ballista's.
fn ballista(config: &SessionConfig) -> SessionConfig {
    config
        .clone()
        .upgrade_for_ballista()
        .with_ballista_grpc_client_max_message_size(MESSAGE_BYTES)
}

/// Wraps [`session_config`] the way Ballista expects it.
fn config_producer() -> Arc<dyn Fn() -> SessionConfig + Send + Sync> {
    Arc::new(session_config)
}
