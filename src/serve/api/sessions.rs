//! Sessions: the newest, and the clicks of one, at most 500.

use std::sync::Arc;

use arrow::datatypes::Schema;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::extract::{EventType, Id, Meant, Params, Range};
use crate::recommender::{Details, session_parameters, session_query};
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
    /// Only sessions whose ID contains this text. Those of this ID come first, the newest one before all others.
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
    #[serde(skip_serializing)]
    #[schema(ignore)]
    session_id: String,
    event_at: String,
    event_type: String,
    item_id: String,
    /// What the catalog says of the item, if it has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Clicks {
    /// The session: of an ID that was cut into several, the newest.
    session_id: String,
    /// Newest first.
    clicks: Vec<Click>,
}

/// The events of a session
#[utoipa::path(get, path = "/api/v1/sessions/{id}", tag = "sessions", params(("id" = String, Path, description = "The session, by the ID that the shop gave or its own"), Meant),
    responses((status = 200, body = Clicks), (status = 404, body = ErrorBody), (status = "default", body = ErrorBody)))]
pub(super) async fn one(
    State(shop): State<Arc<Shop>>,
    Id(id): Id,
    Params(meant): Params<Meant>,
) -> Result<Json<Clicks>, ApiError> {
    let (snapshot, events) = (shop.filled()?, &shop.recommender().events);
    let columns = snapshot.columns(events).unwrap_or_else(|| Arc::new(Schema::empty()));
    let session = session_query(events, &columns, meant.meaning());
    let sql = include_str!("../sql/session.sql").replace("session_events", &format!("({session})"));
    let parameters = [session_parameters(&id), vec![number("limit", CLICKS)]].concat();
    let mut clicks: Vec<Click> = panels::rows(&shop, &snapshot, "the session", &sql, parameters).await?;
    let Some(first) = clicks.first() else {
        return Err(ApiError::NotFound("the lake has no such session".to_owned()));
    };
    let session_id = first.session_id.clone();
    let catalog = shop.catalog();
    for click in &mut clicks {
        click.details = catalog.details(&click.item_id);
    }
    Ok(Json(Clicks { session_id, clicks }))
}
