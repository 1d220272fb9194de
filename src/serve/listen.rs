//! Accepts connections until the server stops, limits their number and how long the headers of a request may take, and
//! lets active requests finish at shutdown (for 5 seconds).

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::Limits;

/// How long active requests may take to finish at shutdown.
const GRACE: Duration = Duration::from_secs(5);
/// The pause after the system ran out of file descriptors or memory for a connection.
const REST: Duration = Duration::from_millis(100);

/// Accepts connections until shutdown. Drops a client that does not send its headers in time, and limits the number of
/// open connections (axum's own server has no such limits).
pub(super) async fn accept(listener: TcpListener, routes: Router, limits: &Limits, stop: CancellationToken) {
    let connections = Arc::new(Semaphore::new(limits.connections));
    let ending = GracefulShutdown::new();
    loop {
        let turn = tokio::select! {
            () = stop.cancelled() => break,
            turn = connections.clone().acquire_owned() => turn,
        };
        let stream = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(REST).await;
                    continue;
                }
            },
        };
        _ = stream.set_nodelay(true);
        let routes = routes
            .clone()
            .map_request(|request: Request<Incoming>| request.map(Body::new));
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.client)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
        let connection = ending.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(turn);
        });
    }
    _ = tokio::time::timeout(GRACE, ending.shutdown()).await;
}
