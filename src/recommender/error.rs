use datafusion::error::DataFusionError;

use crate::pipeline::PipelineError;

/// Why there is no recommender, or no answer.
#[derive(Debug, thiserror::Error)]
pub enum RecommenderError {
    /// The project lacks a step that recommendations need.
    #[error(
        "the project has no step `{name}`, which recommendations are made from\n  help: `clickrec init` in an empty \
         folder writes one to copy (sql/gold)"
    )]
    NoStep {
        /// `layer.table`.
        name: String,
    },
    /// An error of the project or the lake.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// A statement did not plan or run.
    #[error(transparent)]
    Query(#[from] DataFusionError),
}
