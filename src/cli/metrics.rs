//! `run --follow --metrics`: Prometheus metrics (`/metrics`) and health (`/health`) over HTTP, from
//! `pipeline/follow/status.rs`.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::SystemTime;

use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::{Registry, Unit};
use tokio::net::TcpListener;

use crate::pipeline::follow::{Health, Snapshot, Status};

/// What is served.
const TEXT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Labels = Vec<(&'static str, String)>;
type Gauges = Family<Labels, Gauge<f64, AtomicU64>>;

/// Serves `/metrics` and `/health`, forever; without a listener, it only waits.
pub(super) async fn serve(listener: Option<TcpListener>, status: Arc<Status>) -> anyhow::Result<()> {
    let Some(listener) = listener else {
        return std::future::pending().await;
    };
    let routes = Router::new()
        .route("/metrics", get(metrics))
        .route("/health", get(health));
    let served = axum::serve(listener, routes.with_state(status)).await;
    served.context("the metrics server failed")
}

async fn health(State(status): State<Arc<Status>>) -> impl IntoResponse {
    match status.health() {
        Health::Good => (StatusCode::OK, "good\n".to_owned()),
        Health::Bad(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
}

async fn metrics(State(status): State<Arc<Status>>) -> impl IntoResponse {
    match text(&status) {
        Ok(text) => ([(header::CONTENT_TYPE, TEXT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

fn text(status: &Status) -> Result<String, std::fmt::Error> {
    let mut registry = Registry::with_prefix("clickrec");
    let now = status.snapshot();
    let healthy = f64::from(u8::from(status.health() == Health::Good));
    registry.register(
        "healthy",
        "1 while the run makes progress; otherwise 0",
        ConstGauge::new(healthy),
    );
    let up = status.up().as_secs_f64();
    registry.register_with_unit(
        "up",
        "Time since the process started following its sources",
        Unit::Seconds,
        ConstGauge::new(up),
    );
    of_batches(&now, &mut registry);
    of_tables(&now, &mut registry);
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

fn of_batches(now: &Snapshot, registry: &mut Registry) {
    let lag = Gauges::default();
    for (source, places) in &now.lag {
        for (place, waiting) in places {
            let labels = vec![("source", source.clone()), ("place", place.clone())];
            lag.get_or_create(&labels).set(*waiting as f64);
        }
    }
    registry.register(
        "lag_records",
        "Records that are still unread in a partition or file",
        lag,
    );
    registry.register("records", "Records read from sources", ConstCounter::new(now.records));
    registry.register(
        "quarantined",
        "Records that were not accepted",
        ConstCounter::new(now.quarantined),
    );
    registry.register(
        "accepted",
        "Records that became events",
        ConstCounter::new(now.accepted),
    );
    registry.register(
        "repeated",
        "Records that were repeated deliveries of an event",
        ConstCounter::new(now.repeated),
    );
    registry.register(
        "conflicting",
        "Records in quarantine because their ID belongs to another event",
        ConstCounter::new(now.conflicting),
    );
    registry.register(
        "missing_records",
        "Records that are in none of the tables; negative if records are in several",
        ConstGauge::new(now.missing as f64),
    );
    registry.register("batches", "Batches that succeeded", ConstCounter::new(now.batches));
    registry.register(
        "failures",
        "Batches and scheduled steps that failed",
        ConstCounter::new(now.failures),
    );
    registry.register(
        "records_per_second",
        "Rate of the last batch",
        ConstGauge::new(now.rate),
    );
    let seconds = ConstGauge::new(now.batch_seconds);
    registry.register_with_unit("batch", "Duration of the last batch", Unit::Seconds, seconds);
}

fn of_tables(now: &Snapshot, registry: &mut Registry) {
    let (version, age, took) = (Gauges::default(), Gauges::default(), Gauges::default());
    let (rows, commits, failures) = (Gauges::default(), Gauges::default(), Gauges::default());
    let clock = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64();
    for (name, table) in &now.tables {
        let labels = vec![("table", name.clone())];
        if let (Some(newest), Some(committed)) = (table.version, table.committed) {
            version.get_or_create(&labels).set(newest as f64);
            age.get_or_create(&labels).set(clock - committed);
        }
        took.get_or_create(&labels).set(table.seconds);
        rows.get_or_create(&labels).set(table.rows as f64);
        commits.get_or_create(&labels).set(table.commits as f64);
        failures.get_or_create(&labels).set(table.failures as f64);
    }
    registry.register("table_version", "Newest version of a table", version);
    let help = "Time since the last commit of a table; for a model's table, the age of the model";
    registry.register_with_unit("table_age", help, Unit::Seconds, age);
    registry.register_with_unit(
        "table_step",
        "Duration of the step that made the last commit",
        Unit::Seconds,
        took,
    );
    registry.register("table_rows_written", "Rows written since the process started", rows);
    registry.register("table_commits", "Commits since the process started", commits);
    registry.register(
        "table_failures",
        "Failures of a scheduled step since the process started",
        failures,
    );
}
