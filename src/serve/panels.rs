//! The queries behind the page's panels and the API's reports: SQL files in `src/serve/sql`, with parameters, over one
//! snapshot of the lake. In them, `silver.events` stands for the project's table of events; other tables of the shipped
//! project may be missing in another one.

use arrow::datatypes::Date32Type;
use arrow::json::ArrayWriter;
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, NaiveDate, Utc};
use clickrec_udfs::Variables;
use datafusion::common::ParamValues;
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use datafusion::scalar::ScalarValue;
use serde::de::DeserializeOwned;

use super::error::ApiError;
use super::shop::Shop;
use super::snapshot::Snapshot;
use crate::config::TableName;
use crate::engine;
use crate::pipeline::references::references;

/// A parameter, named as in the SQL but without the `$`.
pub(super) type Parameter = (&'static str, ScalarValue);

/// A text parameter, which may be missing.
pub(super) fn text(name: &'static str, value: Option<&str>) -> Parameter {
    (name, ScalarValue::Utf8(value.map(str::to_owned)))
}

/// A timestamp parameter, which may be missing.
pub(super) fn moment(name: &'static str, value: Option<DateTime<Utc>>) -> Parameter {
    let micros = value.map(|at| at.timestamp_micros());
    (name, ScalarValue::TimestampMicrosecond(micros, Some("UTC".into())))
}

/// A date parameter, which may be missing.
pub(super) fn day(name: &'static str, value: Option<NaiveDate>) -> Parameter {
    (name, ScalarValue::Date32(value.map(Date32Type::from_naive_date)))
}

/// A numeric parameter.
pub(super) fn number(name: &'static str, value: usize) -> Parameter {
    (name, ScalarValue::Int64(i64::try_from(value).ok()))
}

/// A query over the project's table of events.
pub(super) fn over_events(sql: &str, events: &TableName) -> String {
    sql.replace("silver.events", &events.to_string())
}

/// A query over the hours of `gold.engagement`. A table without `hour_at`, which an older project writes, has hours of UTC.
pub(super) fn over_hours(sql: &str, snapshot: &Snapshot) -> String {
    const HOURS: &str = "gold.engagement";
    const HOURS_OF_UTC: &str = "(select *, arrow_cast(to_timestamp_seconds(cast(extract(epoch from day) as bigint) + \
                                3600 * hour), 'Timestamp(Microsecond, Some(\"UTC\"))') as hour_at from gold.engagement)";
    match snapshot.has_column(HOURS, "hour_at") {
        true => sql.to_owned(),
        false => sql.replace(HOURS, HOURS_OF_UTC),
    }
}

/// Plans a query with its parameters. Ignores parameters that the query does not use.
pub(super) async fn query(
    session: &SessionContext,
    sql: &str,
    parameters: Vec<Parameter>,
) -> Result<DataFrame, DataFusionError> {
    let plan = engine::plan(session, sql).await?;
    let plan = match parameters.is_empty() {
        true => plan,
        false => plan.with_param_values(ParamValues::from(parameters))?,
    };
    session.execute_logical_plan(plan).await
}

/// The rows of a query, deserialized.
///
/// # Errors
/// When the project lacks a table that the query reads, or the query fails.
pub(super) async fn rows<T: DeserializeOwned>(
    shop: &Shop,
    snapshot: &Snapshot,
    what: &str,
    sql: &str,
    parameters: Vec<Parameter>,
) -> Result<Vec<T>, ApiError> {
    let failed = |error: DataFusionError| ApiError::query(what, &error);
    let _turn = shop.turn().await?;
    let found = query(&snapshot.session, sql, parameters).await;
    let found = found.map_err(|error| lacking(snapshot, what, sql).unwrap_or_else(|| failed(error)))?;
    let batches = found.collect().await.map_err(failed)?;
    let json = as_json(&batches).map_err(|error| failed(error.into()))?;
    serde_json::from_slice(&json).map_err(|error| ApiError::Internal(format!("{what}: {error}")))
}

/// The error for a query over a table that the project lacks; `None` if it has all of them.
fn lacking(snapshot: &Snapshot, what: &str, sql: &str) -> Option<ApiError> {
    let read = references(sql, &Variables::new()).ok()?;
    let mut tables = read.tables.keys().map(ToString::to_string);
    let table = tables.find(|table| !snapshot.can_read(table))?;
    Some(ApiError::NotDeclared(
        format!("cannot read {what}: the project has no table `{table}`"),
        "add a step of this name to pipelines.yaml; a new project (`clickrec init`) has one to copy",
    ))
}

/// Batches as a JSON array of objects. NULL fields are omitted, so whoever reads them uses their defaults.
fn as_json(batches: &[RecordBatch]) -> Result<Vec<u8>, arrow::error::ArrowError> {
    let mut writer = ArrayWriter::new(Vec::new());
    writer.write_batches(&batches.iter().collect::<Vec<_>>())?;
    writer.finish()?;
    let json = writer.into_inner();
    Ok(if json.is_empty() { b"[]".to_vec() } else { json })
}
