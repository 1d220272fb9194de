//! The pipeline: which step reads what, what waits, and running a step to its one commit.
//!
//! - [`references`](mod@references): the tables, sources and functions that a statement names.
//! - [`Dag`]: the steps of a pipeline in the order they run; checked before any data is touched.
//! - [`Inputs`]: what a step reads, as of now, and what of it is new.
//! - [`Runner`]: steps one after another, each with its [`Outcome`].
//! - [`follow`]: the same again and again, while the sources go on.

mod dag;
mod error;
pub mod follow;
mod gone;
mod inputs;
mod progress;
pub mod references;
mod replay;
mod runner;
mod schemas;
mod step;
mod upkeep;

pub use dag::{Dag, Node};
pub use error::{Failure, PipelineError, chain};
pub use inputs::{Decision, Inputs, Lookup};
pub use progress::StepProgress;
pub use replay::Replayed;
pub use runner::{KAFKA_LAYER, Outcome, RunEvent, RunOptions, Runner, evaluations};
