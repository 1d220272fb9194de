use std::path::PathBuf;

use datafusion::error::DataFusionError;

use crate::lake::LakeError;
use crate::pipeline::PipelineError;
use crate::recommender::RecommenderError;

/// Why nothing could be evaluated.
#[derive(Debug, thiserror::Error)]
pub enum EvaluationError {
    /// A file has not the columns of any format that is read.
    #[error(
        "{file}: it has the columns {found}, and none for the {missing}\n  help: name columns session_id, item_id and \
         timestamp (or position), or test_id, prefix and target in a test file",
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
        /// Why.
        reason: String,
    },
    /// Test sessions are among those that are learned from.
    #[error(
        "{sessions} of the {of} sessions of {test} are in {train} too (among them {examples}): how well a model foretells \
         what it learned from says nothing\n  help: {help}",
        test = test.display(),
        train = train.display()
    )]
    Learned {
        /// The training file.
        train: PathBuf,
        /// The test file.
        test: PathBuf,
        /// How many.
        sessions: usize,
        /// Of how many that can be asked about.
        of: usize,
        /// Some of their ids.
        examples: String,
        /// The way out.
        help: &'static str,
    },
    /// There are too few sessions to train and to test on.
    #[error("{0}")]
    TooFew(String),
    /// A model's name is not known.
    #[error("there is no model `{name}`; there are {known}")]
    UnknownModel {
        /// As given.
        name: String,
        /// Those there are.
        known: String,
    },
    /// A name of the grid is in no SQL.
    #[error("--grid: no SQL of the project has var('{name}', …); it has {known}")]
    UnknownVariable {
        /// As given.
        name: String,
        /// Those there are.
        known: String,
    },
    /// The project's SQL or the lake.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// The recommender.
    #[error(transparent)]
    Recommender(#[from] RecommenderError),
    /// The lake.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// A query.
    #[error(transparent)]
    Query(#[from] DataFusionError),
    /// The folder of the scratch lake.
    #[error("no folder for the tables of the evaluation")]
    Scratch(#[source] std::io::Error),
}

impl From<arrow::error::ArrowError> for EvaluationError {
    fn from(error: arrow::error::ArrowError) -> Self {
        Self::Query(error.into())
    }
}
