//! Ctrl-C and SIGTERM: the first one lets `run --follow`, `serve` and the like finish the work in progress, the second
//! one, or the first for any other command, stops at once.

use tokio_util::sync::CancellationToken;

/// The user or the system requested a stop.
#[derive(Debug, thiserror::Error)]
#[error("interrupted; uncommitted work was rolled back")]
pub(super) struct Interrupted;

/// Waits for Ctrl-C or SIGTERM. If the command can stop by itself, the first signal requests that, and this waits for a
/// second one. A command may handle Ctrl-C itself.
pub(super) async fn signal(tell: Option<&CancellationToken>, own_ctrl_c: bool) {
    let terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
    let mut terminate = terminate.ok();
    let mut either = async || match &mut terminate {
        Some(terminate) if own_ctrl_c => _ = terminate.recv().await,
        Some(terminate) => tokio::select! { _ = tokio::signal::ctrl_c() => {}, _ = terminate.recv() => {} },
        None => _ = tokio::signal::ctrl_c().await,
    };
    either().await;
    if let Some(stop) = tell {
        tracing::warn!("stopping once the work in progress is done; send the signal again to stop at once");
        stop.cancel();
        either().await;
    }
}
