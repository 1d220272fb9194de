//! Why a step did not plan, or its plan did not run.

use datafusion::error::DataFusionError;

use super::{Node, PipelineError};
use crate::backend::BackendError;

pub(super) fn query_error(node: &Node, source: DataFusionError) -> PipelineError {
    PipelineError::Query {
        step: node.name().to_string(),
        file: node.step.file.clone(),
        source: Box::new(source),
    }
}

/// A plan of the step did not run, or the lake refused what it wrote.
pub(super) fn backend_error(node: &Node, error: BackendError) -> PipelineError {
    match error {
        BackendError::Query(source) => query_error(node, source),
        BackendError::Lake(source) => node.lake_error(source),
        BackendError::Cluster(source) => PipelineError::Cluster {
            step: node.name().to_string(),
            source,
        },
    }
}

/// The SQL does not plan: an error with its place in the file, where DataFusion knows it.
pub(super) fn plan_error(node: &Node, error: &DataFusionError) -> PipelineError {
    let (at, message) = planning_message(error);
    PipelineError::Sql {
        file: node.step.file.clone(),
        at,
        message,
    }
}

/// Where in a statement DataFusion found something wrong, and what.
pub(super) fn planning_message(error: &DataFusionError) -> (Option<(u64, u64)>, String) {
    let span = error.diagnostic().and_then(|diagnostic| diagnostic.span);
    let message = error.strip_backtrace();
    // Where no signature of a function fits, DataFusion says so last, after asking for a bug report.
    let message = message
        .find("No function matches")
        .map_or(&*message, |last| &message[last..]);
    let message = message
        .trim_start_matches("Error during planning: ")
        .trim_start_matches("Schema error: ");
    (
        span.map(|span| (span.start.line, span.start.column)),
        message.to_owned(),
    )
}
