//! Why tests cannot run, or a test cannot be generated: [`TestingError`].

use std::path::PathBuf;

use datafusion::error::DataFusionError;

use crate::config::{ConfigError, nearest};
use crate::pipeline::{Dag, PipelineError};

/// Why tests cannot run, or a test cannot be generated.
#[derive(Debug, thiserror::Error)]
pub enum TestingError {
    /// The test files are invalid.
    #[error("{}", join(.0))]
    Invalid(Vec<ConfigError>),
    /// A file or folder cannot be read or written.
    #[error("{}", file.display())]
    File {
        /// The file or folder.
        file: PathBuf,
        /// The operating system's error.
        #[source]
        source: std::io::Error,
    },
    /// There is no such step.
    #[error("there is no step `{name}`\n  help: {help}")]
    UnknownStep {
        /// The given name.
        name: String,
        /// The nearest name, or all names.
        help: String,
    },
    /// The test file to be generated already exists.
    #[error("{} already exists\n  help: choose another file with --out", file.display())]
    Exists {
        /// The file.
        file: PathBuf,
    },
    /// The lake has no rows to generate a test from.
    #[error("the lake has no rows that `{step}` reads\n  help: fill the lake with `clickrec run`")]
    NoRows {
        /// The step.
        step: String,
    },
    /// The rows of the lake cannot be read.
    #[error("cannot read rows for a test")]
    Query(#[from] DataFusionError),
    /// The rows of the lake cannot be written as YAML.
    #[error("cannot write rows for a test")]
    Rows(#[from] arrow::error::ArrowError),
    /// The step fails.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
}

impl TestingError {
    /// The error for an unknown step, with the nearest name if there is one.
    pub fn unknown_step(name: &str, dag: &Dag) -> Self {
        let known: Vec<String> = dag.nodes().iter().map(|node| node.name().to_string()).collect();
        let help = match nearest(name, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the steps are {}", known.join(", ")),
        };
        let name = name.to_owned();
        Self::UnknownStep { name, help }
    }
}

fn join(errors: &[ConfigError]) -> String {
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    errors.join("\n")
}
