//! Items: the list of all, the popular ones, one, and those similar to another; with what the catalog says of them, in
//! memory (`shop.catalog()`). `serve/shop.rs` (`rows`) checks how many: at most 1,000, also for the `k` of similar
//! items; `--max-k` is for recommendations alone.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::extract::{EventType, Id, Params, Range};
use crate::recommender::{self, Catalog, Details};
use crate::serve::error::{ApiError, ErrorBody};
use crate::serve::panels::{self, day, number, text};
use crate::serve::shop::Shop;
use crate::serve::statements::is_ready;

/// An item, and its number of events.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
pub(super) struct Item {
    item_id: String,
    /// From 1, the most popular; null for an item of the catalog that has no events.
    rank: Option<u64>,
    views: i64,
    add_to_carts: i64,
    purchases: i64,
    /// The number of sessions that interacted with the item, if known.
    sessions: Option<i64>,
    /// How many times as many events the item had in the last days as expected from those before (1 is steady); only
    /// for popular items, if the project has `gold.item_trends`.
    #[serde(skip_serializing_if = "Option::is_none")]
    trend: Option<f64>,
    /// What the catalog says of the item, if it has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Items {
    items: Vec<Item>,
}

impl Items {
    fn with_details(mut items: Vec<Item>, catalog: &Catalog) -> Self {
        for item in &mut items {
            item.details = catalog.details(&item.item_id);
        }
        Self { items }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Search {
    /// Only items whose ID or title contains this text; in a title, upper and lower case are the same.
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
    let limit = number("limit", shop.rows(search.limit, 20)?);
    let (snapshot, catalog) = (shop.filled()?, shop.catalog());
    let search = search.search.as_deref().filter(|search| !search.is_empty());
    if let (Some(search), Some(table)) = (search, &shop.recommender().items)
        && catalog.has_titles()
    {
        let parameters = vec![
            text("search", Some(search)),
            text("lowered", Some(&search.to_lowercase())),
            limit.clone(),
        ];
        let sql = include_str!("../sql/items_by_title.sql").replace("gold.items", &table.to_string());
        // Without the catalog, items are found by their IDs.
        if let Ok(items) = panels::rows(&shop, &snapshot, "the items", &sql, parameters).await {
            return Ok(Json(Items::with_details(items, &catalog)));
        }
    }
    let sql = include_str!("../sql/items.sql");
    let parameters = vec![text("search", search), limit];
    let items = panels::rows(&shop, &snapshot, "the items", sql, parameters).await?;
    Ok(Json(Items::with_details(items, &catalog)))
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
    let zone = shop.runner.timezone();
    let last = range
        .end(zone)
        .and_then(|to| to.checked_sub_signed(TimeDelta::microseconds(1)));
    let parameters = vec![
        text("event_type", wanted.event_type.map(EventType::name)),
        day("first_day", range.start(zone).map(|from| zone.date(from))),
        day("last_day", last.map(|last| zone.date(last))),
        number("limit", shop.rows(wanted.limit, 10)?),
    ];
    let snapshot = shop.filled()?;
    let popular = include_str!("../sql/popular.sql");
    let sql = match snapshot.can_read("gold.item_trends") {
        true => include_str!("../sql/popular_trends.sql").replace("popular_items", &format!("(\n{popular})")),
        false => popular.to_owned(),
    };
    let items = panels::rows(&shop, &snapshot, "the popular items", &sql, parameters).await?;
    Ok(Json(Items::with_details(items, &shop.catalog())))
}

/// An item of the lake or the catalog
#[utoipa::path(get, path = "/api/v1/items/{id}", tag = "items", params(("id" = String, Path, description = "The item")),
    responses((status = 200, body = Item), (status = 404, body = ErrorBody), (status = "default", body = ErrorBody)))]
pub(super) async fn one(State(shop): State<Arc<Shop>>, Id(id): Id) -> Result<Json<Item>, ApiError> {
    let details = shop.catalog().details(&id);
    let counted = counted(&shop, &id).await;
    let item = match (counted, &details) {
        (Ok(item), _) => item,
        // The catalog knows the item, so the lake need not.
        (Err(_), Some(_)) => None,
        (Err(error), None) => return Err(error),
    };
    let item = match (item, &details) {
        (Some(item), _) => item,
        (None, Some(_)) => Item {
            item_id: id,
            ..Item::default()
        },
        (None, None) => {
            return Err(ApiError::NotFound(
                "neither the lake nor the catalog has this item".to_owned(),
            ));
        }
    };
    Ok(Json(Item { details, ..item }))
}

/// An item with its number of events, if the lake has any.
async fn counted(shop: &Shop, item: &str) -> Result<Option<Item>, ApiError> {
    let snapshot = shop.filled()?;
    if !snapshot.can_read("gold.item_popularity") {
        return Ok(None);
    }
    let sql = include_str!("../sql/item.sql");
    let parameters = vec![text("item_id", Some(item))];
    let items: Vec<Item> = panels::rows(shop, &snapshot, "the item", sql, parameters).await?;
    Ok(items.into_iter().next())
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
    /// What the catalog says of the item, if it has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
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
    let catalog = shop.catalog();
    let similar = similar.into_iter().map(|item| Alike {
        details: catalog.details(&item.item),
        item_id: item.item,
        rank: item.rank,
        score: item.similarity,
    });
    Ok(Json(Similar {
        similar: similar.collect(),
        item_id: id,
    }))
}
