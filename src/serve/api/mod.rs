//! The JSON API: its routes, a file per topic, and its OpenAPI document (`/api/v1/openapi.json`). Errors are
//! `serve/error.rs`; `extract` parses parameters and bodies, and says what is wrong with them.

mod cluster;
mod commit_stream;
mod extract;
mod items;
mod json;
mod pipeline;
mod project;
mod recommendations;
mod recommender;
mod reports;
mod sessions;
mod sql;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::json::json;
use super::assets;
use super::error::ApiError;
use super::shop::Shop;

const DOCUMENT: &str = "/api/v1/openapi.json";

#[derive(OpenApi)]
#[openapi(
    info(title = "clickrec", description = "What should this visitor see next? Times are UTC, days and hours those of the project's time zone; ranges are [from, to)."),
    modifiers(&Token),
    security((), ("token" = []))
)]
struct Document;

struct Token;

impl utoipa::Modify for Token {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_with(Default::default);
        components.add_security_scheme("token", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    }
}

fn documented() -> OpenApiRouter<Arc<Shop>> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(recommendations::of_session))
        .routes(routes!(recommendations::of_events))
        .routes(routes!(recommender::recommender))
        .routes(routes!(project::project))
        .routes(routes!(sessions::list))
        .routes(routes!(sessions::one))
        .routes(routes!(items::list))
        .routes(routes!(items::popular))
        .routes(routes!(items::one))
        .routes(routes!(items::similar))
        .routes(routes!(reports::engagement))
        .routes(routes!(reports::funnel))
        .routes(routes!(reports::model))
        .routes(routes!(pipeline::pipeline))
        .routes(routes!(cluster::cluster))
        .routes(routes!(pipeline::health))
        .routes(routes!(pipeline::metrics))
        .routes(routes!(commit_stream::events))
        .routes(routes!(sql::run))
}

/// The OpenAPI document as JSON.
///
/// # Errors
/// When it cannot be serialized, which a test would detect.
pub fn openapi() -> Result<String, serde_json::Error> {
    documented().into_openapi().to_pretty_json()
}

/// All routes of the API.
pub(super) fn routes(shop: &Arc<Shop>) -> Router {
    let (api, document) = documented().split_for_parts();
    let document: Bytes = document.to_json().unwrap_or_default().into();
    api.route("/", get(assets::page))
        .route("/assets/{*path}", get(assets::asset))
        .route(DOCUMENT, get(async || json(document)))
        .fallback(async || ApiError::NotFound(format!("there is no such path; {DOCUMENT} lists the paths")))
        .method_not_allowed_fallback(async || {
            ApiError::BadRequest(format!(
                "this path does not support that method; {DOCUMENT} lists the methods"
            ))
        })
        .with_state(shop.clone())
}
