//! Steps on several machines: Ballista's scheduler and executors, which know our functions and plan nodes.
//!
//! A step's plan is made where `clickrec run` runs, and sent as it is. Executors read Kafka and files, and write data files;
//! what comes back are the names of these files, for the one commit that the client makes. Stages, shuffles and the placing
//! of tasks are Ballista's; a job that loses an executor is begun again by the client.
//!
//! - [`Codec`]: plans as bytes. Neither secrets nor stores travel: executors have their own, from the same project.
//! - `prepare`: what a plan needs so that tasks may share its stages.
//! - `scattered`: a leaf of ours that several tasks share.
//! - [`Client`]: sends a plan, waits, and gets the result.
//! - [`ClusterState`]: executors and jobs, as the scheduler tells them.
//! - `placement`: which executors get tasks, and which jobs have to begin again.
//! - [`stages`](fn@stages): how a plan will be cut.
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

use std::sync::Arc;

use ballista_core::extension::SessionConfigExt;
use datafusion::prelude::SessionConfig;

pub use client::{Client, Ran};
pub use codec::Codec;
pub use error::ClusterError;
pub use jobs::{ClusterState, ExecutorState, JobOutcome, JobState};
pub use stages::stages;

/// Plans, and the tasks of one executor that are sent at once, have to fit into a message.
const MESSAGE_BYTES: usize = 256 << 20;

/// What all processes of a cluster have to agree on, beside the options of a plan.
fn session_config() -> SessionConfig {
    SessionConfig::new_with_ballista().with_ballista_grpc_client_max_message_size(MESSAGE_BYTES)
}

/// The options of a session, and Ballista's.
fn ballista(config: &SessionConfig) -> SessionConfig {
    config
        .clone()
        .upgrade_for_ballista()
        .with_ballista_grpc_client_max_message_size(MESSAGE_BYTES)
}

/// A producer of [`session_config`], as Ballista wants it.
fn config_producer() -> Arc<dyn Fn() -> SessionConfig + Send + Sync> {
    Arc::new(session_config)
}
