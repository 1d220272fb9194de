//! `pipelines.yaml`: parsed as written, then validated into what the rest of the program uses.
//!
//! - `raw`: the file as written; unknown keys are rejected, and every value knows its line.
//! - `load`: reads the file; `validate` and `validate_…`: turn the raw file into a [`Project`], collecting as many
//!   problems as possible.
//! - `share`: how shares are written; `time_zone`: days and hours of the shop.
//! - [`ConfigError`]: what is wrong, with file, line and column, and how to fix it.

mod backend;
mod erasure;
mod error;
mod expectation;
mod load;
mod load_options;
mod maintenance;
mod ordered_map;
mod project;
mod raw;
mod raw_expectation;
mod raw_recommender;
mod recommender;
mod share;
mod storage;
mod table_name;
#[cfg(test)]
mod tests;
mod time_zone;
mod validate;
mod validate_credentials;
mod validate_engine;
mod validate_expectation;
mod validate_maintenance;
mod validate_recommender;
mod validate_source;
mod validate_time_zone;
mod validate_trigger;

pub use backend::{BackendConfig, NotAnEngine};
pub use erasure::ErasureConfig;
pub use error::ConfigError;
pub use expectation::{Expectation, Severity};
pub use load_options::LoadOptions;
pub use maintenance::{MIN_RETAIN, MaintenanceConfig};
pub use project::{LakeConfig, Mode, OnChange, Pipeline, Project, Step, Trigger};
pub use raw::problem as yaml_problem;
pub use recommender::{BLEND, Color, RecommenderConfig, Score, SqlFile};
pub use share::percent;
pub use storage::Storage;
pub use table_name::{NotATableName, TableName, nearest};
pub use time_zone::{NotATimeZone, TimeZone};

pub use crate::settings::{Environment, Problem, Secret, redact};

/// The file's JSON schema, for editors.
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(raw::RawProject)
}
