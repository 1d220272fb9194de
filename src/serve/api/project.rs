//! What the project file says of the shop itself: its time zone, in which the page shows times.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::serve::error::ErrorBody;
use crate::serve::shop::Shop;

/// The shop, as the project file declares it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Project {
    /// The time zone of days and hours, and of times without an offset.
    #[schema(example = "Europe/Berlin")]
    timezone: String,
}

/// What the project says of the shop
#[utoipa::path(get, path = "/api/v1/project", tag = "reports",
    responses((status = 200, body = Project), (status = "default", body = ErrorBody)))]
pub(super) async fn project(State(shop): State<Arc<Shop>>) -> Json<Project> {
    Json(Project {
        timezone: shop.runner.timezone().name().to_owned(),
    })
}
