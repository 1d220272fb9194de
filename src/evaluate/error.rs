//! Why an evaluation failed: [`EvaluationError`].

use std::path::PathBuf;

use datafusion::error::DataFusionError;

use crate::lake::LakeError;
use crate::pipeline::PipelineError;
use crate::recommender::RecommenderError;

/// Why an evaluation failed.
#[derive(Debug, thiserror::Error)]
pub enum EvaluationError {
    /// A file's columns match none of the supported formats.
    #[error(
        "{file}: no column for the {missing}; the columns are {found}\n  help: rename the columns to session_id, \
         item_id and timestamp (or position), or test_id, prefix and target in a test file",
        file = file.display()
    )]
    Columns {
        /// The file.
        file: PathBuf,
        /// Its columns.
        found: String,
        /// What is missing.
        missing: &'static str,
    },
    /// A file cannot be read.
    #[error("{file}: {reason}", file = file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// The reason.
        reason: String,
    },
    /// Some test sessions also occur in the training data.
    #[error(
        "{train} also contains {sessions} of the {of} sessions in {test} (for example {examples}): testing a model on \
         its training data proves nothing\n  help: {help}",
        test = test.display(),
        train = train.display()
    )]
    Learned {
        /// The training file.
        train: PathBuf,
        /// The test file.
        test: PathBuf,
        /// The number of such sessions.
        sessions: usize,
        /// The number of test sessions with cases.
        of: usize,
        /// Some of their IDs.
        examples: String,
        /// How to fix it.
        help: &'static str,
    },
    /// There are too few sessions for training and testing.
    #[error("{0}")]
    TooFew(String),
    /// The name of a model is unknown.
    #[error("there is no model `{name}`; the models are {known}")]
    UnknownModel {
        /// As given.
        name: String,
        /// The known names.
        known: String,
    },
    /// A variable in the grid does not occur in any SQL.
    #[error("--grid: the project's SQL does not use var('{name}', …); its variables are {known}")]
    UnknownVariable {
        /// As given.
        name: String,
        /// The known variables.
        known: String,
    },
    /// An error of the project's SQL or the lake.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// An error of the recommender.
    #[error(transparent)]
    Recommender(#[from] RecommenderError),
    /// An error of the lake.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// A query failed.
    #[error(transparent)]
    Query(#[from] DataFusionError),
    /// The folder of the scratch lake cannot be created or used.
    #[error("cannot use a temporary folder for the evaluation's tables")]
    Scratch(#[source] std::io::Error),
}

impl From<arrow::error::ArrowError> for EvaluationError {
    fn from(error: arrow::error::ArrowError) -> Self {
        Self::Query(error.into())
    }
}
