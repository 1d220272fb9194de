//! Sessions: the newest, and the clicks of one, at most 500.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::extract::{EventType, Id, Params, Range};
use crate::recommender::Details;
use crate::serve::error::{ApiError, ErrorBody};
use crate::serve::panels::{self, moment, number, text};
use crate::serve::shop::Shop;

/// The maximum number of clicks returned for a session.
const CLICKS: usize = 500;

/// A session in `gold.sessions`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct Session {
    session_id: String,
    user_id: Option<String>,
    started_at: String,
    ended_at: String,
    duration_s: i64,
    events: i64,
    views: i64,
    add_to_carts: i64,
    purchases: i64,
    distinct_items: i64,
    converted: bool,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Sessions {
    sessions: Vec<Session>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Search {
    /// Only sessions whose ID contains this text.
    search: Option<String>,
    /// Only sessions with events of this type, those with the most of them first.
    event_type: Option<EventType>,
    /// The maximum number of sessions.
    #[param(minimum = 1, maximum = 1000, default = 20)]
    limit: Option<usize>,
}

/// Sessions, the most active ones first
#[utoipa::path(get, path = "/api/v1/sessions", tag = "sessions", params(Search, Range),
    responses((status = 200, body = Sessions), (status = 404, body = ErrorBody), (status = "default", body = ErrorBody)))]
pub(super) async fn list(
    State(shop): State<Arc<Shop>>,
    Params(search): Params<Search>,
    Params(range): Params<Range>,
) -> Result<Json<Sessions>, ApiError> {
    let zone = shop.runner.timezone();
    let parameters = vec![
        text("search", search.search.as_deref().filter(|search| !search.is_empty())),
        text("event_type", search.event_type.map(EventType::name)),
        moment("from", range.start(zone)),
        moment("to", range.end(zone)),
        number("limit", shop.rows(search.limit, 20)?),
    ];
    let sql = include_str!("../sql/sessions.sql");
    let sessions = panels::rows(&shop, &*shop.filled()?, "the sessions", sql, parameters).await?;
    Ok(Json(Sessions { sessions }))
}

/// An event of a session.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct Click {
    event_at: String,
    event_type: String,
    item_id: String,
    /// What the catalog says of the item, if it has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Clicks {
    session_id: String,
    /// Newest first.
    clicks: Vec<Click>,
}

/// The events of a session
#[utoipa::path(get, path = "/api/v1/sessions/{id}", tag = "sessions", params(("id" = String, Path, description = "The session")),
    responses((status = 200, body = Clicks), (status = 404, body = ErrorBody), (status = "default", body = ErrorBody)))]
pub(super) async fn one(State(shop): State<Arc<Shop>>, Id(id): Id) -> Result<Json<Clicks>, ApiError> {
    let parameters = vec![text("session_id", Some(&id)), number("limit", CLICKS)];
    let sql = panels::over_events(include_str!("../sql/session.sql"), &shop.recommender().events);
    let mut clicks: Vec<Click> = panels::rows(&shop, &*shop.filled()?, "the session", &sql, parameters).await?;
    if clicks.is_empty() {
        return Err(ApiError::NotFound("the lake has no such session".to_owned()));
    }
    let catalog = shop.catalog();
    for click in &mut clicks {
        click.details = catalog.details(&click.item_id);
    }
    Ok(Json(Clicks { session_id: id, clicks }))
}
