//! Reports over Gold: engagement, the funnel, and the model.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use chrono::Utc;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::extract::{Params, Range};
use crate::serve::error::{ApiError, ErrorBody};
use crate::serve::panels::{self, Parameter, moment, text};
use crate::serve::shop::Shop;
use crate::serve::snapshot::Snapshot;

/// Counts and averages over the sessions of a time range.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub(super) struct Counts {
    sessions: i64,
    /// Different people; missing if the project does not tell whose a session is.
    #[serde(skip_serializing_if = "Option::is_none")]
    people: Option<i64>,
    events: i64,
    views: i64,
    add_to_carts: i64,
    purchases: i64,
    mean_duration_s: f64,
    mean_events: f64,
    /// The share of sessions that bought, 0 to 1.
    conversion: f64,
    #[serde(skip_serializing, default)]
    #[schema(ignore)]
    viewed: i64,
    #[serde(skip_serializing, default)]
    #[schema(ignore)]
    added_to_cart: i64,
    #[serde(skip_serializing, default)]
    #[schema(ignore)]
    purchased: i64,
}

/// The sessions that began in an hour or on a day.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct Point {
    /// When the hour or the day began.
    at: String,
    /// The date in the project's time zone.
    day: String,
    #[serde(flatten)]
    counts: Counts,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Bucket {
    Hour,
    #[default]
    Day,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Engagement {
    bucket: Bucket,
    /// The project's time zone, whose hours and days the points are.
    #[schema(example = "Europe/Berlin")]
    timezone: String,
    /// The time of the newest event in the lake.
    newest_at: Option<String>,
    points: Vec<Point>,
    totals: Counts,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Buckets {
    #[serde(default)]
    #[param(inline)]
    bucket: Option<Bucket>,
}

#[derive(Debug, Deserialize)]
struct Newest {
    newest_at: Option<String>,
}

/// Engagement over time
#[utoipa::path(get, path = "/api/v1/engagement", tag = "reports", params(Buckets, Range),
    responses((status = 200, body = Engagement), (status = 404, body = ErrorBody), (status = "default", body = ErrorBody)))]
pub(super) async fn engagement(
    State(shop): State<Arc<Shop>>,
    Params(buckets): Params<Buckets>,
    Params(range): Params<Range>,
) -> Result<Json<Engagement>, ApiError> {
    let snapshot = shop.filled()?;
    let bucket = buckets.bucket.unwrap_or_default();
    let mut points = points(&shop, &snapshot, bucket, &range).await?;
    let mut totals = total(&points);
    if snapshot.has_column("gold.sessions", "person_id") {
        totals.people = Some(count_people(&shop, &snapshot, bucket, &range, &mut points).await?);
    }
    let sql = include_str!("../sql/newest_at.sql");
    let newest: Vec<Newest> = panels::rows(&shop, &snapshot, "the newest session", sql, vec![]).await?;
    Ok(Json(Engagement {
        bucket,
        timezone: shop.runner.timezone().name().to_owned(),
        newest_at: newest.into_iter().next().and_then(|newest| newest.newest_at),
        totals,
        points,
    }))
}

async fn points(shop: &Shop, snapshot: &Snapshot, bucket: Bucket, range: &Range) -> Result<Vec<Point>, ApiError> {
    let sql = panels::over_hours(include_str!("../sql/engagement.sql"), snapshot);
    panels::rows(shop, snapshot, "the engagement", &sql, parameters(shop, bucket, range)).await
}

fn parameters(shop: &Shop, bucket: Bucket, range: &Range) -> Vec<Parameter> {
    let name = match bucket {
        Bucket::Hour => "hour",
        Bucket::Day => "day",
    };
    let zone = shop.runner.timezone();
    vec![
        text("bucket", Some(name)),
        moment("from_hour", range.start(zone).map(|from| zone.start_of_hour(from))),
        moment("to", range.end(zone)),
    ]
}

/// Different people of a point, which has a day and, if it is an hour, a time; of all points, if it has neither.
#[derive(Debug, Deserialize)]
struct People {
    day: Option<String>,
    at: Option<String>,
    people: i64,
}

/// Writes down how many people there were at each point, and returns how many there were in all.
async fn count_people(
    shop: &Shop,
    snapshot: &Snapshot,
    bucket: Bucket,
    range: &Range,
    points: &mut [Point],
) -> Result<i64, ApiError> {
    let sql = include_str!("../sql/people.sql");
    let counted: Vec<People> = panels::rows(shop, snapshot, "the people", sql, parameters(shop, bucket, range)).await?;
    let is_whole = |people: &&People| people.day.is_none();
    let whole = counted.iter().find(is_whole).map_or(0, |people| people.people);
    let by_point: BTreeMap<_, i64> = counted
        .iter()
        .map(|counted| ((counted.day.as_deref(), counted.at.as_deref()), counted.people))
        .collect();
    for point in points {
        let at = match bucket {
            Bucket::Hour => Some(point.at.as_str()),
            Bucket::Day => None,
        };
        let people = by_point.get(&(Some(point.day.as_str()), at));
        point.counts.people = people.copied();
    }
    Ok(whole)
}

/// Averages over sessions, not over points.
fn total(points: &[Point]) -> Counts {
    let mut total = Counts::default();
    for Point { counts, .. } in points {
        let sessions = counts.sessions as f64;
        total.sessions += counts.sessions;
        total.events += counts.events;
        total.views += counts.views;
        total.add_to_carts += counts.add_to_carts;
        total.purchases += counts.purchases;
        total.viewed += counts.viewed;
        total.added_to_cart += counts.added_to_cart;
        total.purchased += counts.purchased;
        total.mean_duration_s += counts.mean_duration_s * sessions;
        total.mean_events += counts.mean_events * sessions;
        total.conversion += counts.conversion * sessions;
    }
    let sessions = (total.sessions as f64).max(1.0);
    total.mean_duration_s /= sessions;
    total.mean_events /= sessions;
    total.conversion /= sessions;
    total
}

/// The number of sessions at each stage of the funnel.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Funnel {
    sessions: i64,
    viewed: i64,
    added_to_cart: i64,
    purchased: i64,
}

/// How many sessions viewed items, added items to the cart, and bought something
#[utoipa::path(get, path = "/api/v1/funnel", tag = "reports", params(Range),
    responses((status = 200, body = Funnel), (status = 404, body = ErrorBody), (status = "default", body = ErrorBody)))]
pub(super) async fn funnel(
    State(shop): State<Arc<Shop>>,
    Params(range): Params<Range>,
) -> Result<Json<Funnel>, ApiError> {
    let total = total(&points(&shop, &*shop.filled()?, Bucket::Day, &range).await?);
    Ok(Json(Funnel {
        sessions: total.sessions,
        viewed: total.viewed,
        added_to_cart: total.added_to_cart,
        purchased: total.purchased,
    }))
}

/// The current model.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Model {
    /// The version of the model's table; null if the project declares no such table (`stale_after`).
    version: Option<u64>,
    trained_at: Option<String>,
    age_s: Option<i64>,
    /// The columns of the table that describes the model (`description`): how the model was trained, and its loss.
    #[schema(value_type = Object)]
    details: BTreeMap<String, Value>,
    /// The newest row of `system.evaluations`.
    #[schema(value_type = Option<Object>)]
    evaluation: Option<BTreeMap<String, Value>>,
}

/// The quality and the age of the model
#[utoipa::path(get, path = "/api/v1/model", tag = "reports",
    responses((status = 200, body = Model), (status = "default", body = ErrorBody)))]
pub(super) async fn model(State(shop): State<Arc<Shop>>) -> Result<Json<Model>, ApiError> {
    let statements = shop.statements();
    let snapshot = match &statements {
        Some(statements) => statements.snapshot.clone(),
        None => shop.filled()?,
    };
    let model = statements.as_ref().and_then(|statements| statements.model.as_ref());
    let trained_at = model.and_then(|model| model.trained_at);
    let one = async |table: &str, sql: &str| -> Result<Option<BTreeMap<String, Value>>, ApiError> {
        match snapshot.has(table) {
            true => Ok(panels::rows(&shop, &snapshot, "the model", sql, vec![])
                .await?
                .into_iter()
                .next()),
            false => Ok(None),
        }
    };
    let details = match &shop.recommender().description {
        Some(table) => one(&table.to_string(), &format!("select * from {table} limit 1")).await?,
        None => None,
    };
    Ok(Json(Model {
        version: model.map(|model| model.version),
        trained_at: trained_at.map(|at| at.to_rfc3339()),
        age_s: trained_at.map(|at| (Utc::now() - at).num_seconds()),
        details: details.unwrap_or_default(),
        evaluation: one("system.evaluations", include_str!("../sql/evaluation.sql")).await?,
    }))
}
