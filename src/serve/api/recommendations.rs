//! What to show a session, or a visitor that the lake does not know, next. Validates the request (`k` from 1 to
//! `--max-k`; 1 to 1,000 items or events, which may repeat), finds the session's events in memory (`clicks`) or else in
//! the snapshot, and lets `answers` run the statement. Answers for sessions in memory are cached (`answer_cache`).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::RecordBatch;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::extract::{Body, Id, Meant, Params, moment};
use super::json::json;
use crate::recommender::{Action, SessionId, events_of_session, events_of_visitor, is_fallback, reasons, texts};
use crate::serve::answer_cache::AnswerKey;
use crate::serve::answers::{Because, List};
use crate::serve::error::{ApiError, ErrorBody};
use crate::serve::shop::{Shop, read};
use crate::serve::statements::Statements;

/// The maximum number of events per session, the newest ones.
const EVENTS_MAX: usize = 1000;

/// What to show a session next.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Recommendations {
    /// The session: of an ID that was cut into several, the newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<String>,
    model: ModelRef,
    /// Whether no score depends on the session, in which case these are the most popular items.
    only_popular: bool,
    recommendations: List,
}

/// Which model answered.
#[derive(Debug, Serialize, ToSchema)]
struct ModelRef {
    /// The version of the model's table; null if the project declares no such table (`stale_after`).
    version: Option<u64>,
    trained_at: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// The number of items; the server sets the maximum (`clickrec serve --max-k`).
    #[param(minimum = 1, default = 10)]
    k: Option<u32>,
    /// Include the session's items that support each recommendation.
    explain: Option<bool>,
}

/// Recommendations for a session in the lake, based on its events up to the newest click
#[utoipa::path(get, path = "/api/v1/sessions/{id}/recommendations", tag = "recommendations",
    params(("id" = String, Path, description = "The session, by the ID that the shop gave or its own"), Wanted, Meant),
    responses((status = 200, body = Recommendations), (status = 404, body = ErrorBody), (status = "default", body = ErrorBody)))]
pub(super) async fn of_session(
    State(shop): State<Arc<Shop>>,
    Id(session): Id,
    Params(wanted): Params<Wanted>,
    Params(meant): Params<Meant>,
) -> Result<Response, ApiError> {
    // Before the statements: an answer of older ones must not count as one of the next generation.
    let of = shop.generation();
    let request = ValidRequest::new(&shop, wanted.k, wanted.explain)?;
    let (session, meaning) = in_memory(&shop, session, meant.meaning());
    let key = AnswerKey {
        clicks: read(&shop.clicks).count(&session),
        of,
        page: format!("{}/{}/{session}", request.k, request.explain),
    };
    // A session that is not in memory may have changed, and only its events would tell.
    if key.clicks > 0
        && let Some(kept) = shop.kept.get(&key)
    {
        return Ok(json(kept));
    }
    let events = events_of(&shop, &session, meaning).await?;
    let session = name_of(&events).unwrap_or(session);
    let answer = request.answer(&shop, session.clone(), Some(session), events).await?;
    let body = serde_json::to_vec(&answer).map_err(|error| ApiError::Internal(error.to_string()))?;
    let body = bytes::Bytes::from(body);
    if key.clicks > 0 {
        shop.kept.insert(key, body.clone());
    }
    Ok(json(body))
}

/// A session that the lake does not know, or knows only in part.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Visitor {
    /// The items that the session viewed, oldest first.
    #[serde(default)]
    #[schema(max_items = 1000)]
    items: Vec<String>,
    /// What the session did, in any order if there are timestamps.
    #[serde(default)]
    #[schema(max_items = 1000)]
    events: Vec<Event>,
    /// The number of items; the server sets the maximum (`clickrec serve --max-k`).
    #[schema(minimum = 1)]
    k: Option<u32>,
    /// Include the session's items that support each recommendation.
    explain: Option<bool>,
}

/// What a session did with an item. How much each counts is in the project's SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ActionType {
    View,
    AddToCart,
    RemoveFromCart,
    Purchase,
    Refund,
}

impl ActionType {
    /// Its name in the table of events.
    fn name(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::AddToCart => "add_to_cart",
            Self::RemoveFromCart => "remove_from_cart",
            Self::Purchase => "purchase",
            Self::Refund => "refund",
        }
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Event {
    item_id: String,
    event_type: Option<ActionType>,
    /// RFC 3339; events without a timestamp are placed one second apart, in the given order, ending one second ago.
    #[serde(default, deserialize_with = "moment")]
    timestamp: Option<DateTime<Utc>>,
}

impl<'a> From<&'a Event> for Action<'a> {
    fn from(event: &'a Event) -> Self {
        Self {
            event_type: event.event_type.unwrap_or(ActionType::View).name(),
            at_micros: event.timestamp.map(|at| at.timestamp_micros()),
            item: &event.item_id,
        }
    }
}

/// Recommendations for a visitor with these events; nothing is stored or trained
#[utoipa::path(post, path = "/api/v1/recommendations", tag = "recommendations", request_body = Visitor,
    responses((status = 200, body = Recommendations), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = "default", body = ErrorBody)))]
pub(super) async fn of_events(
    State(shop): State<Arc<Shop>>,
    Body(visitor): Body<Visitor>,
) -> Result<Json<Recommendations>, ApiError> {
    static VISITORS: AtomicU64 = AtomicU64::new(0);
    let request = ValidRequest::new(&shop, visitor.k, visitor.explain)?;
    let viewed = visitor.items.into_iter().map(|item_id| Event {
        item_id,
        event_type: None,
        timestamp: None,
    });
    let events: Vec<Event> = viewed.chain(visitor.events).collect();
    if events.is_empty() || events.len() > EVENTS_MAX {
        return Err(ApiError::BadRequest(format!(
            "expected 1 to {EVENTS_MAX} items or events, not {}",
            events.len()
        )));
    }
    // No session in the lake has such an ID: clients cannot send control characters in a path.
    let session = format!("\u{1}{}", VISITORS.fetch_add(1, Ordering::Relaxed));
    let actions: Vec<Action<'_>> = events.iter().map(Action::from).collect();
    let events = events_of_visitor(&request.statements.requests, &session, &actions);
    let events = events.map_err(|error| ApiError::recommender("the events", error))?;
    Ok(Json(request.answer(&shop, session, None, events).await?))
}

/// A validated request.
struct ValidRequest {
    statements: Arc<Statements>,
    k: u32,
    explain: bool,
}

impl ValidRequest {
    fn new(shop: &Shop, k: Option<u32>, explain: Option<bool>) -> Result<Self, ApiError> {
        let most = shop.options.max_k;
        let k = k.unwrap_or(most.min(10));
        if k == 0 || k > most {
            return Err(ApiError::BadRequest(format!(
                "k must be from 1 to {most} (`clickrec serve --max-k` sets the maximum)"
            )));
        }
        Ok(Self {
            statements: shop.answering()?,
            k,
            explain: explain.unwrap_or(false),
        })
    }

    async fn answer(
        &self,
        shop: &Arc<Shop>,
        session: String,
        id: Option<String>,
        events: RecordBatch,
    ) -> Result<Recommendations, ApiError> {
        let recommender = self.statements.pick(&shop.runner, self.k, shop.options.max_k).await;
        let recommender = recommender.map_err(|error| ApiError::recommender("the recommendations", error))?;
        let statements = self.statements.clone();
        let mut list = shop
            .answers
            .ask(session, events.clone(), statements, recommender)
            .await?;
        list.truncate(self.k as usize);
        if self.explain {
            self.explain(shop, events, &mut list).await?;
        }
        let catalog = shop.catalog();
        for item in &mut list {
            item.details = catalog.details(&item.item_id);
        }
        let only_popular = is_fallback(&shop.recommender().scores, list.iter().map(|item| &item.parts));
        let model = self.statements.model.as_ref();
        let trained_at = model.and_then(|model| model.trained_at);
        Ok(Recommendations {
            session_id: id,
            model: ModelRef {
                version: model.map(|model| model.version),
                trained_at: trained_at.map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true)),
            },
            only_popular,
            recommendations: list,
        })
    }

    async fn explain(&self, shop: &Arc<Shop>, events: RecordBatch, list: &mut List) -> Result<(), ApiError> {
        let failed = |error| ApiError::recommender("the reasons", error);
        let _turn = shop.turn_to_explain().await?;
        // Continues if the client disconnects or the answer takes too long: the next request finds it ready.
        let (statements, of_shop) = (self.statements.clone(), shop.clone());
        let deep = tokio::spawn(async move { statements.deep(&of_shop.runner).await });
        let deep = deep
            .await
            .map_err(|error| ApiError::Internal(error.to_string()))?
            .map_err(failed)?;
        let rows = self.statements.requests.of_events(vec![events]).await.map_err(failed)?;
        let found = reasons(&deep, &rows).await.map_err(failed)?;
        for item in list {
            let reasons = found.get(&item.item_id);
            item.because = Some(reasons.into_iter().flatten().map(Because::from).collect());
        }
        Ok(())
    }
}

/// The session that is meant, if the clicks in memory tell, which then is exact.
fn in_memory(shop: &Shop, session: String, meaning: SessionId) -> (String, SessionId) {
    let newest = match meaning {
        SessionId::Given => read(&shop.clicks).newest_part(&session),
        SessionId::Exact => None,
    };
    newest.map_or((session, meaning), |newest| (newest, SessionId::Exact))
}

/// The ID of the session that these events belong to.
fn name_of(events: &RecordBatch) -> Option<String> {
    let sessions = texts(&events.slice(0, events.num_rows().min(1)), "session_id").ok()?;
    sessions.iter().next().flatten().map(str::to_owned)
}

/// The events of a session: from memory, or from the lake if it is older.
async fn events_of(shop: &Shop, session: &str, meaning: SessionId) -> Result<RecordBatch, ApiError> {
    if let Some(events) = read(&shop.clicks).of(session) {
        return events.map_err(|error| ApiError::query("the session", &error.into()));
    }
    let snapshot = shop.filled()?;
    let _turn = shop.turn().await?;
    let events = events_of_session(&snapshot.session, &shop.recommender().events, session, meaning).await;
    let events = events.map_err(|error| ApiError::recommender("the session", error))?;
    match events.num_rows() {
        0 => Err(ApiError::NotFound("the lake has no such session".to_owned())),
        _ => Ok(events),
    }
}
