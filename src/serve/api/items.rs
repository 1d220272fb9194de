//! Items: the list of all, the popular ones, and those similar to another. How many, `serve/shop.rs` (`rows`) checks:
//! at most 1,000, also for the `k` of similar items; `--max-k` is for recommendations alone.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::extract::{EventType, Id, Params, Range};
use crate::recommender;
use crate::serve::error::{ApiError, ErrorBody};
use crate::serve::panels::{self, moment, number, text};
use crate::serve::shop::Shop;
use crate::serve::statements::is_ready;

/// An item, and its number of events.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct Item {
    item_id: String,
    rank: u64,
    views: i64,
    add_to_carts: i64,
    purchases: i64,
    /// The number of sessions that interacted with the item, if known.
    sessions: Option<i64>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Items {
    items: Vec<Item>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Search {
    /// Only items whose id contains this text.
    search: Option<String>,
    /// The maximum number of items.
    #[param(minimum = 1, maximum = 1000, default = 20)]
    limit: Option<usize>,
}

/// Items, the most popular first
#[utoipa::path(get, path = "/api/v1/items", tag = "items", params(Search),
    responses((status = 200, body = Items), (status = 404, body = ErrorBody), (status = "default", body = ErrorBody)))]
pub(super) async fn list(
    State(shop): State<Arc<Shop>>,
    Params(search): Params<Search>,
) -> Result<Json<Items>, ApiError> {
    let parameters = vec![
        text("search", search.search.as_deref().filter(|search| !search.is_empty())),
        number("limit", shop.rows(search.limit, 20)?),
    ];
    let sql = include_str!("../sql/items.sql");
    let items = panels::rows(&shop, &*shop.filled()?, "the items", sql, parameters).await?;
    Ok(Json(Items { items }))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Popular {
    /// Rank by events of this type only; by default, by all events.
    event_type: Option<EventType>,
    /// The maximum number of items.
    #[param(minimum = 1, maximum = 1000, default = 10)]
    limit: Option<usize>,
}

/// Items ranked by their events on the days of a range
#[utoipa::path(get, path = "/api/v1/items/popular", tag = "items", params(Popular, Range),
    responses((status = 200, body = Items), (status = 404, body = ErrorBody), (status = "default", body = ErrorBody)))]
pub(super) async fn popular(
    State(shop): State<Arc<Shop>>,
    Params(wanted): Params<Popular>,
    Params(range): Params<Range>,
) -> Result<Json<Items>, ApiError> {
    let parameters = vec![
        text("event_type", wanted.event_type.map(EventType::name)),
        moment("from", range.from),
        moment("to", range.to),
        number("limit", shop.rows(wanted.limit, 10)?),
    ];
    let sql = include_str!("../sql/popular.sql");
    let items = panels::rows(&shop, &*shop.filled()?, "the popular items", sql, parameters).await?;
    Ok(Json(Items { items }))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct WantedSimilar {
    /// The number of items.
    #[param(minimum = 1, maximum = 1000, default = 10)]
    k: Option<usize>,
}

/// An item that interests the same sessions.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Alike {
    item_id: String,
    rank: u64,
    /// How similar the two items are, as computed by the project's SQL.
    score: f64,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Similar {
    item_id: String,
    similar: Vec<Alike>,
}

/// The items that are most similar to an item
#[utoipa::path(get, path = "/api/v1/items/{id}/similar", tag = "items",
    params(("id" = String, Path, description = "The item"), WantedSimilar),
    responses((status = 200, body = Similar), (status = 404, body = ErrorBody), (status = "default", body = ErrorBody)))]
pub(super) async fn similar(
    State(shop): State<Arc<Shop>>,
    Id(id): Id,
    Params(wanted): Params<WantedSimilar>,
) -> Result<Json<Similar>, ApiError> {
    let k = u32::try_from(shop.rows(wanted.k, 10)?).unwrap_or(u32::MAX);
    let snapshot = shop.filled()?;
    if shop.recommender().similar.is_some() && !is_ready(shop.recommender(), &snapshot.versions) {
        return Err(ApiError::EmptyLake);
    }
    let _turn = shop.turn().await?;
    let failed = |error| ApiError::recommender("similar items", error);
    let found = recommender::similar(&shop.runner, shop.runner.engine(), &snapshot.bindings, &id, k).await;
    let similar = found.and_then(|found| found.items()).map_err(failed)?;
    let similar = similar.into_iter().map(|item| Alike {
        item_id: item.item,
        rank: item.rank,
        score: item.similarity,
    });
    Ok(Json(Similar {
        similar: similar.collect(),
        item_id: id,
    }))
}
