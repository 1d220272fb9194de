//! `pipelines.yaml`: parsed as written, then validated into what the rest of the program uses.
//!
//! - `raw`: the file as written; unknown keys are rejected, and every value knows its line.
//! - `variables`, `interpolate`: replace `${NAME}` in values after parsing, so that a value can never change the
//!   structure.
//! - `validate` and `validate_…`: turn the raw file into a [`Project`], collecting as many problems as possible.
//! - [`ConfigError`]: what is wrong, with file, line and column, and how to fix it.

mod engine;
mod error;
mod expectation;
mod interpolate;
mod maintenance;
mod name;
mod project;
mod raw;
mod raw_expectation;
mod redact;
mod secret;
mod source;
mod storage;
#[cfg(test)]
mod tests;
mod validate;
mod validate_engine;
mod validate_expectation;
mod validate_maintenance;
mod validate_source;
mod validate_trigger;
mod variables;

pub use engine::{EngineConfig, NotAnEngine};
pub use error::{ConfigError, Problem};
pub use expectation::{Expectation, Severity};
pub use maintenance::{MIN_RETAIN, MaintenanceConfig};
pub use name::{NotATableName, TableName, nearest};
pub use project::{LakeConfig, LoadOptions, Mode, Pipeline, Project, Step, Trigger};
pub use raw::problem as yaml_problem;
pub use redact::redact;
pub use secret::Secret;
pub use source::{FileFormat, FilesConfig, KafkaConfig, Security, SourceConfig};
pub use storage::Storage;
pub use variables::Environment;

/// The file's JSON schema, for editors.
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(raw::RawProject)
}
