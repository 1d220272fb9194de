use std::path::PathBuf;

use datafusion::error::DataFusionError;

use crate::config::{ConfigError, nearest};
use crate::pipeline::{Dag, PipelineError};

/// Why tests cannot run, or one cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum TestingError {
    /// Test files are not as they should be.
    #[error("{}", join(.0))]
    Invalid(Vec<ConfigError>),
    /// A file or folder cannot be read or written.
    #[error("{}", file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// There is no such step.
    #[error("there is no step `{name}`\n  help: {help}")]
    UnknownStep {
        /// What was given.
        name: String,
        /// The nearest, or all.
        help: String,
    },
    /// A test that was to be written is there.
    #[error("{} is there already\n  help: name another file with --out", file.display())]
    Exists {
        /// The file.
        file: PathBuf,
    },
    /// The lake has no rows to make a test of.
    #[error("the lake has no rows that `{step}` reads\n  help: `clickrec run` fills it")]
    NoRows {
        /// The step.
        step: String,
    },
    /// The lake's rows cannot be read.
    #[error("cannot read rows for a test")]
    Query(#[from] DataFusionError),
    /// Rows of the lake cannot be written.
    #[error("cannot write rows for a test")]
    Rows(#[from] arrow::error::ArrowError),
    /// The step does not run.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
}

impl TestingError {
    /// There is no step of this name, but perhaps one of another.
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
