//! Errors as users see them, exit codes, and signals.

use std::process::ExitCode;

use crate::config::ConfigError;
use crate::evaluate::EvaluationError;
use crate::pipeline::PipelineError;

const MISSING_FILE_HELP: &str = "\n  help: a vacuum has taken the file while it was needed, or somebody deleted it; run \
                                 again, and if that does not help, rebuild the table: clickrec run --full-refresh \
                                 --select TABLE+";

/// The user or the system asked the program to stop.
#[derive(Debug, thiserror::Error)]
#[error("interrupted; what was not committed yet was rolled back")]
pub(super) struct Interrupted;

/// Waits for Ctrl-C or SIGTERM.
pub(super) async fn signal() {
    let interrupt = tokio::signal::ctrl_c();
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! { _ = interrupt => {}, _ = terminate.recv() => {} },
        Err(_) => _ = interrupt.await,
    }
}

/// Prints an error with its causes, and tells the exit code.
pub(super) fn report(error: &anyhow::Error) -> ExitCode {
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        // Libraries often repeat their source in their own message.
        if !text.contains(&cause) {
            text.push_str("\n  because: ");
            text.push_str(&cause);
        }
    }
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
        || error.chain().any(|cause| {
            matches!(
                cause.downcast_ref(),
                Some(PipelineError::Sql { .. } | PipelineError::Cycle { .. } | PipelineError::UnknownStep { .. })
            )
        })
}
