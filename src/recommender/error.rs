//! Why there is no recommender, or no answer: [`RecommenderError`].

use std::path::PathBuf;

use datafusion::error::DataFusionError;

use crate::pipeline::PipelineError;

/// Why there is no recommender, or no answer.
#[derive(Debug, thiserror::Error)]
pub enum RecommenderError {
    /// The project lacks a step that recommendations need.
    #[error(
        "the project has no step `{name}`, which recommendations need\n  help: copy one from the folder that \
         `clickrec init` creates (sql/gold), or name another under `recommender` in pipelines.yaml"
    )]
    NoStep {
        /// `layer.table`.
        name: String,
    },
    /// The project declares no statement for similar items.
    #[error(
        "the project declares no SQL for similar items\n  help: write `similar: FILE.sql` under `recommender` in \
         pipelines.yaml: a query that returns similar_item_id, rank and similarity for var('item', ''); `clickrec init` \
         creates a project with an example (sql/models/similar.sql)"
    )]
    NoSimilar,
    /// No model knows the item.
    #[error("the model has no item '{item}'\n  help: a model knows the items of the events that it was trained on")]
    UnknownItem {
        /// Its ID.
        item: String,
    },
    /// An SQL file of the recommender did not plan or run.
    #[error("{}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// DataFusion's error.
        #[source]
        source: DataFusionError,
    },
    /// An error of the project or the lake.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// A statement did not plan or run.
    #[error(transparent)]
    Query(#[from] DataFusionError),
}

impl RecommenderError {
    /// The same as an error of a query.
    #[must_use]
    pub fn into_query(self) -> DataFusionError {
        match self {
            Self::Query(error) => error,
            Self::File { file, source } => source.context(file.display().to_string()),
            other => DataFusionError::External(Box::new(other)),
        }
    }

    /// The error of an SQL file, unless its SQL is not the cause.
    pub(super) fn in_file(self, file: &std::path::Path) -> Self {
        match self {
            Self::Query(source) => Self::File {
                file: file.to_owned(),
                source,
            },
            other => other,
        }
    }
}
