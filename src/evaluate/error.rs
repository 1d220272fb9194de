//! Why an evaluation failed: [`EvaluationError`].

use std::path::PathBuf;

use datafusion::error::DataFusionError;

use crate::inspect::InspectError;
use crate::lake::LakeError;
use crate::pipeline::PipelineError;
use crate::recommender::RecommenderError;
use crate::sources::SourceError;

/// Why an evaluation failed.
#[derive(Debug, thiserror::Error)]
pub enum EvaluationError {
    /// It is not clear what the fields of a file are.
    #[error(
        "{file}: {problem}\n  help: name the field, as in --field {role}=FIELD; the fields are {fields}",
        file = file.display()
    )]
    Unclear {
        /// The file.
        file: PathBuf,
        /// What is not clear.
        problem: String,
        /// What the role is called.
        role: &'static str,
        /// The fields.
        fields: String,
    },
    /// Nothing was found in a file.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// A file cannot be read as a source.
    #[error(transparent)]
    Source(#[from] SourceError),
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
