//! Errors as users see them, with their causes and help, and exit codes: 1 for a failure, 2 for a usage error or a
//! project that is wrong.

use std::error::Error;
use std::process::ExitCode;

use crate::config::ConfigError;
use crate::erase::ErasureError;
use crate::evaluate::EvaluationError;
use crate::pipeline::{PipelineError, chain};
use crate::testing::TestingError;

const MISSING_FILE_HELP: &str = "\n  help: a vacuum or another program deleted the file while it was in use; run again and, if \
                                 that does not help, rebuild the table: clickrec run --full-refresh --select \
                                 TABLE+";

const MEMORY_HELP: &str =
    "\n  help: raise --memory, or lower --threads (on a cluster: --memory and --cores of its executors)";

/// An error with its causes, as users see it.
pub(super) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = chain(error, "\n  because: ");
    let is_out_of_memory = ["Resources exhausted", "ResourcesExhausted"]
        .iter()
        .any(|words| text.contains(words));
    if is_out_of_memory && !text.contains("--memory") {
        text.push_str(MEMORY_HELP);
    }
    text
}

/// Prints an error with its causes, and returns the exit code.
pub(super) fn report(error: &anyhow::Error) -> ExitCode {
    let mut text = with_causes(error.as_ref());
    if text.contains(".parquet") && text.contains("not found") && !text.contains("help:") {
        text.push_str(MISSING_FILE_HELP);
    }
    eprintln!("error: {text}");
    if is_usage(error) {
        ExitCode::from(2)
    } else {
        ExitCode::FAILURE
    }
}

fn is_usage(error: &anyhow::Error) -> bool {
    error.downcast_ref::<ConfigError>().is_some()
        || matches!(
            error.downcast_ref(),
            Some(EvaluationError::UnknownModel { .. } | EvaluationError::UnknownVariable { .. })
        )
        || matches!(
            error.downcast_ref(),
            Some(TestingError::Invalid(_) | TestingError::UnknownStep { .. })
        )
        || matches!(error.downcast_ref(), Some(error) if ErasureError::is_usage(error))
        || error
            .chain()
            .any(|cause| cause.downcast_ref().is_some_and(is_of_the_project))
}

/// Whether the project or the command line is at fault, and nothing ran.
fn is_of_the_project(error: &PipelineError) -> bool {
    match error {
        PipelineError::Broken(error) => {
            let is_of_setting = |error: &PipelineError| {
                matches!(
                    error,
                    PipelineError::NotForward { .. } | PipelineError::NotBackfilled { .. }
                )
            };
            is_of_setting(error) || is_of_the_project(error)
        }
        PipelineError::Sql { .. }
        | PipelineError::ReadsBroken { .. }
        | PipelineError::UnknownStep { .. }
        | PipelineError::NotSelected { .. } => true,
        _ => false,
    }
}

/// A panic on a worker thread (in a library, because of a full disk, for example) becomes the error of its step, which
/// says more than the panic does. The panic itself goes to the log.
pub(super) fn log_panics_of_workers() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| match std::thread::current().name() {
        Some("tokio-rt-worker") => tracing::info!("a worker thread panicked: {panic}"),
        _ => default(panic),
    }));
}
