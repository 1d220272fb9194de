//! `GET /api/v1/pipeline`, `/health`, `/metrics`: the state of the pipeline, the server's health, and its Prometheus
//! metrics.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, SecondsFormat};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::config::Mode;
use crate::lake::history;
use crate::plural::counted;
use crate::serve::error::{ApiError, ErrorBody};
use crate::serve::panels;
use crate::serve::shop::{Shop, read};
use crate::serve::snapshot::Snapshot;

/// The state of the pipeline.
#[derive(Debug, Clone, Copy, Serialize, PartialEq, Eq, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    Ok,
    Failing,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Pipeline {
    status: Status,
    reasons: Vec<String>,
    sources: Vec<Source>,
    rates: Rates,
    tables: Vec<Table>,
    steps: Vec<Step>,
    /// What became of the records of the latest run that counted them.
    records: Option<Records>,
    quarantine: Vec<Reason>,
}

/// The records waiting in a source.
#[derive(Debug, Serialize, ToSchema)]
struct Source {
    source: String,
    waiting: Option<u64>,
    places: Vec<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Place {
    place: String,
    waiting: u64,
}

impl Place {
    /// The name of a partition, or of a file without its folders, which clients must not see.
    fn new(place: &str, waiting: u64) -> Self {
        Self {
            place: place.rsplit('/').next().unwrap_or_default().to_owned(),
            waiting,
        }
    }
}

#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
struct Rates {
    /// The rate of the latest run that read any records.
    records_per_s: Option<f64>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Table {
    table: String,
    version: Option<u64>,
    committed_at: Option<String>,
    rows: Option<u64>,
}

/// The last run of a step.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct Step {
    step: String,
    outcome: String,
    started_at: String,
    seconds: f64,
    rows_read: Option<i64>,
    rows_written: Option<i64>,
    error: Option<String>,
}

/// What became of the records of a run: records = accepted + repeated + quarantined.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct Records {
    started_at: String,
    records: i64,
    accepted: i64,
    repeated: i64,
    quarantined: i64,
    /// Quarantined records whose ID belongs to another event.
    conflicting: i64,
}

impl Records {
    /// What is wrong if they do not add up.
    fn imbalance(&self) -> Option<String> {
        let missing = self.records - self.accepted - self.repeated - self.quarantined;
        let number = counted(
            missing.unsigned_abs(),
            "record of the last run is",
            "records of the last run are",
        );
        match missing {
            0 => None,
            1.. => Some(format!("{number} unaccounted for")),
            _ => Some(format!("{number} in several tables")),
        }
    }
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct Reason {
    reason: String,
    records: i64,
    newest_at: Option<String>,
}

/// The state of the pipeline: lag, rates, last commits, quarantine
#[utoipa::path(get, path = "/api/v1/pipeline", tag = "pipeline",
    responses((status = 200, body = Pipeline), (status = "default", body = ErrorBody)))]
pub(super) async fn pipeline(State(shop): State<Arc<Shop>>) -> Result<Json<Pipeline>, ApiError> {
    let snapshot = shop.snapshot();
    let steps: Vec<Step> = of(&shop, &snapshot, "system.runs", include_str!("../sql/runs.sql")).await?;
    let rates: Vec<Rates> = of(&shop, &snapshot, "system.runs", include_str!("../sql/rate.sql")).await?;
    let quarantine = of(
        &shop,
        &snapshot,
        "silver.quarantine",
        include_str!("../sql/quarantine.sql"),
    )
    .await?;
    let records: Vec<Records> = match snapshot.has_column("system.runs", "records") {
        true => of(&shop, &snapshot, "system.runs", include_str!("../sql/records.sql")).await?,
        false => vec![],
    };
    let sources = sources(&shop).await;
    let trouble = *read(&shop.trouble);
    let mut reasons: Vec<String> = trouble.of_lake().into_iter().chain(trouble.of_statements()).collect();
    let failed = steps.iter().filter(|step| step.outcome == "failed");
    reasons.extend(failed.map(|step| format!("{} failed in its last run", step.step)));
    let silent = sources
        .iter()
        .filter_map(|source| Some((&source.source, source.error.as_ref()?)));
    reasons.extend(silent.map(|(source, error)| format!("source {source}: {error}")));
    let records = records.into_iter().next();
    reasons.extend(records.as_ref().and_then(Records::imbalance));
    Ok(Json(Pipeline {
        status: if reasons.is_empty() {
            Status::Ok
        } else {
            Status::Failing
        },
        reasons,
        sources,
        rates: rates.into_iter().next().unwrap_or_default(),
        tables: tables(&shop).await,
        // Error messages contain file names.
        steps: steps.into_iter().map(without_details).collect(),
        records,
        quarantine,
    }))
}

fn without_details(step: Step) -> Step {
    let told = "see system.runs (clickrec sql) or the log of the run";
    Step {
        error: step.error.map(|_| told.to_owned()),
        ..step
    }
}

/// The rows of a table that may not exist yet.
async fn of<T: serde::de::DeserializeOwned>(
    shop: &Shop,
    snapshot: &Snapshot,
    table: &str,
    sql: &str,
) -> Result<Vec<T>, ApiError> {
    match snapshot.has(table) {
        true => panels::rows(shop, snapshot, table, sql, vec![]).await,
        false => Ok(vec![]),
    }
}

async fn sources(shop: &Shop) -> Vec<Source> {
    let mut found = vec![];
    for node in shop.runner.dag().nodes().iter().filter(|node| !node.sources.is_empty()) {
        match shop.runner.lag(node).await {
            Ok(lag) => found.extend(lag.into_iter().map(|(source, places)| {
                Source {
                    source,
                    waiting: Some(places.values().sum()),
                    places: places
                        .into_iter()
                        .map(|(place, waiting)| Place::new(&place, waiting))
                        .collect(),
                    error: None,
                }
            })),
            Err(error) => {
                tracing::warn!(step = %node.name(), %error, "the lag is unknown");
                found.extend(node.sources.iter().map(|source| Source {
                    source: source.clone(),
                    waiting: None,
                    places: vec![],
                    error: Some("it does not respond; the server's log has the reason".to_owned()),
                }));
            }
        }
    }
    found
}

async fn tables(shop: &Shop) -> Vec<Table> {
    let mut found = vec![];
    for node in shop
        .runner
        .dag()
        .nodes()
        .iter()
        .filter(|node| node.step.mode != Mode::View)
    {
        let table = shop.runner.lake().table(node.name()).await.ok();
        let newest = match &table {
            Some(table) => history(table, 1).await.unwrap_or_default().into_iter().next(),
            None => None,
        };
        let committed = newest.and_then(|commit| DateTime::from_timestamp_millis(commit.at?));
        found.push(Table {
            table: node.name().to_string(),
            version: table.as_ref().and_then(crate::lake::LakeTable::version),
            committed_at: committed.map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true)),
            rows: table
                .filter(|table| table.version().is_some())
                .map(|table| table.rows()),
        });
    }
    found
}

/// Whether the server can answer requests.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Health {
    status: Status,
    reasons: Vec<String>,
}

/// Whether the server can answer requests; 503 if it cannot
#[utoipa::path(get, path = "/api/v1/health", tag = "pipeline", security(()),
    responses((status = 200, body = Health), (status = 503, body = Health)))]
pub(super) async fn health(State(shop): State<Arc<Shop>>) -> Response {
    let mut reasons = Vec::from_iter(read(&shop.trouble).of_lake());
    // A project without a recommender is healthy without recommendations.
    if shop.statements().is_none() && shop.lacks().is_none() {
        reasons.push("nothing can be recommended yet: run `clickrec run`".to_owned());
    }
    let (code, status) = match reasons.is_empty() {
        true => (StatusCode::OK, Status::Ok),
        false => (StatusCode::SERVICE_UNAVAILABLE, Status::Failing),
    };
    (code, Json(Health { status, reasons })).into_response()
}

/// Metrics for Prometheus
#[utoipa::path(get, path = "/api/v1/metrics", tag = "pipeline",
    responses((status = 200, content_type = "application/openmetrics-text", body = String)))]
pub(super) async fn metrics(State(shop): State<Arc<Shop>>) -> Response {
    const TEXT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let mut registry = Registry::with_prefix("clickrec_serve");
    let up = ConstGauge::new(shop.started.elapsed().as_secs_f64());
    registry.register_with_unit("up", "Time since the server started", Unit::Seconds, up);
    if let Some(statements) = shop.statements() {
        let age = ConstGauge::new(statements.began.elapsed().as_secs_f64());
        registry.register_with_unit("models_age", "Time since the models were prepared", Unit::Seconds, age);
        let took = ConstGauge::new(statements.took.as_secs_f64());
        registry.register_with_unit(
            "models_made_in",
            "Time taken to prepare the models",
            Unit::Seconds,
            took,
        );
    }
    let held = ConstGauge::new(read(&shop.clicks).len() as f64);
    registry.register("recent_events", "Events kept in memory", held);
    let kept = ConstGauge::new(shop.kept.len() as f64);
    registry.register("answers_kept", "Answers kept in memory", kept);
    let mut text = String::new();
    match encode(&mut text, &registry) {
        Ok(()) => ([(header::CONTENT_TYPE, TEXT)], text).into_response(),
        Err(error) => ApiError::Internal(error.to_string()).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_that_do_not_add_up_are_told() {
        let imbalance = |records| {
            Records {
                started_at: String::new(),
                records,
                accepted: 7,
                repeated: 2,
                quarantined: 1,
                conflicting: 1,
            }
            .imbalance()
        };
        assert_eq!(imbalance(10), None);
        assert_eq!(
            imbalance(11).as_deref(),
            Some("1 record of the last run is unaccounted for")
        );
        assert_eq!(
            imbalance(8).as_deref(),
            Some("2 records of the last run are in several tables")
        );
    }
}
