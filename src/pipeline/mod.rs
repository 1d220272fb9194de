//! The pipeline: which step reads what, what waits, and running a step to its one commit.
//!
//! From lowest to highest; a module uses those before it:
//!
//! - [`PipelineError`]: why a pipeline cannot run, or a step failed; `data_error`: whether its data can be the cause.
//! - [`references`](mod@references): the tables, sources and functions that a statement names.
//! - [`system`](mod@system): the tables that no step makes; `runs_schemas`: the columns of those about runs.
//! - [`Node`]: a step and what it reads; `step_error`: why it did not plan, or its plan did not run.
//! - `on_change`: which steps may keep older rows, and for which these can be computed again.
//! - `expectation_sql`: what has to hold for the rows of a step before it commits them (`step/expectations.rs` runs
//!   it); `rejected_rows`: rows that violate an expectation; `quarantine_table`: `system.quarantine`, where these go.
//! - [`Dag`]: the steps of a pipeline in the order they run; checked before any data is touched. `fingerprint`: whether
//!   a step's logic has changed.
//! - [`Selection`]: which steps run.
//! - `decide`: what a step has to do, and why; `removed_rows`: rows that another engine removed from its table.
//! - [`Inputs`]: what a step reads, as of now, and what of it is new.
//! - `step`: a step in phases: plan, write, check, merge, commit.
//! - [`trial`]: a step over tables in memory.
//! - `declared_scores`: whether the recommendations have the parts that `scores` declares; `schemas`: the columns of
//!   every table.
//! - `deleted_tables`: tables that were deleted, replaced, or lost rows.
//! - `leave_out_failed_records`: runs a step; if records make its SQL fail, without them. `bisect` finds these, with
//!   `spilled` and `failing_expression`; `failed_records` puts them into the quarantine.
//! - [`Reconciled`] (`reconciliation`): what became of the records of a batch.
//! - [`RunReport`]: how a run ended, with the [`Outcome`] of each step.
//! - [`Runner`]: steps one after another, as [`RunOptions`] say; `run_step`: one of them, planned again if its
//!   commit lost a race.
//! - `after_erasure`: what a step has to do after rows of a person were taken out of its inputs.
//! - `backfill`: computes older rows again with the step's new logic, day by day.
//! - `cost`: what it costs to apply changed logic.
//! - `lake_bindings`, `preview`, `upkeep`, `replay`: what else a runner does for the tables.
//! - [`runs`]: what the steps did, as a table.
//! - [`follow`]: the same again and again, while the sources go on.

mod after_erasure;
mod backfill;
mod bisect;
mod cost;
mod dag;
mod data_error;
mod decide;
mod declared_scores;
mod deleted_tables;
mod error;
mod expectation_sql;
mod failed_records;
mod failing_expression;
mod fingerprint;
pub mod follow;
mod inputs;
mod lake_bindings;
mod leave_out_failed_records;
mod node;
mod on_change;
mod preview;
mod quarantine_table;
mod reconciliation;
pub mod references;
mod rejected_rows;
mod removed_rows;
mod replay;
mod report;
mod run_options;
mod run_step;
mod runner;
pub mod runs;
mod runs_schemas;
mod schemas;
mod select;
mod spilled;
mod step;
mod step_error;
pub mod system;
#[cfg(test)]
mod test_project;
mod trial;
mod upkeep;

pub use backfill::Backfilled;
pub use cost::{Cost, Way};
pub use dag::Dag;
pub use decide::Decision;
pub use error::{Failure, PipelineError, chain};
pub use expectation_sql::Checked;
pub use inputs::{Inputs, Lookup};
pub use node::Node;
pub use preview::{Logic, Preview};
pub use reconciliation::Reconciled;
pub use replay::Replayed;
pub use report::{Failed, Outcome, RunReport, Skipped};
pub use run_options::RunOptions;
pub use runner::{RunEvent, Runner};
pub use select::Selection;
pub use trial::{Trial, trial};

pub use crate::backend::StepProgress;
