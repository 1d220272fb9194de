//! `GET /api/v1/cluster`: the scheduler of the project's cluster, its executors and jobs.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::cluster::ClusterState;
use crate::serve::error::ErrorBody;
use crate::serve::shop::Shop;

/// The cluster on which the project's steps run, and its state.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Cluster {
    /// The scheduler, `host:port`; null if steps run in the process of `clickrec run`.
    scheduler: Option<String>,
    state: Option<ClusterState>,
    /// Why the state is unknown.
    error: Option<String>,
}

/// The cluster: its executors and jobs
#[utoipa::path(get, path = "/api/v1/cluster", tag = "pipeline",
    responses((status = 200, body = Cluster), (status = "default", body = ErrorBody)))]
pub(super) async fn cluster(State(shop): State<Arc<Shop>>) -> Json<Cluster> {
    let Some(status) = shop.runner.backend().status().await else {
        return Json(Cluster {
            scheduler: None,
            state: None,
            error: None,
        });
    };
    let (state, error) = match status.state {
        Ok(state) => (Some(state), None),
        Err(error) => {
            tracing::debug!(%error, "the state of the cluster is unknown");
            (
                None,
                Some("the scheduler does not report its state; the server's log (-vv) has the reason".to_owned()),
            )
        }
    };
    Json(Cluster {
        scheduler: Some(status.scheduler),
        state,
        error,
    })
}
