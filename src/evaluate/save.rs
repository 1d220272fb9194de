//! Writes the figures of an evaluation to the table `system.evaluations`, one row each.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use datafusion::prelude::SessionContext;

use super::{EvaluationError, Report};
use crate::lake::Lake;
use crate::pipeline::system;

/// Appends a report to `system.evaluations`, with one row per figure.
///
/// # Errors
/// When the lake refuses the write.
pub async fn save(
    report: &Report,
    lake: &Lake,
    session: &SessionContext,
    at: chrono::DateTime<chrono::Utc>,
) -> Result<(), EvaluationError> {
    let rows = batch(report, at)?;
    Ok(system::append(lake, session, &system::name(system::EVALUATIONS), rows).await?)
}

fn batch(report: &Report, at: chrono::DateTime<chrono::Utc>) -> Result<RecordBatch, EvaluationError> {
    let rows = report.rows();
    let variables: Vec<String> = report
        .variables
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let (variables, count) = (variables.join(" "), rows.len());
    let same = |text: &str| Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, count))) as ArrayRef;
    let number = |number: u64| {
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        Arc::new(Int64Array::from(vec![number; count])) as ArrayRef
    };
    let times = TimestampMicrosecondArray::from(vec![at.timestamp_micros(); count]).with_timezone("UTC");
    let k = rows.iter().map(|row| row.k.and_then(|k| i64::try_from(k).ok()));
    let columns: [(&str, ArrayRef); 13] = [
        ("evaluated_at", Arc::new(times)),
        ("data", same(&report.data)),
        ("variables", same(&variables)),
        ("train_sessions", number(report.train_sessions)),
        ("test_sessions", number(report.test_sessions as u64)),
        ("cases", number(report.cases as u64)),
        (
            "model",
            Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.model))),
        ),
        (
            "seen",
            Arc::new(BooleanArray::from_iter(rows.iter().map(|row| Some(row.seen)))),
        ),
        ("k", Arc::new(Int64Array::from_iter(k))),
        (
            "metric",
            Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.metric))),
        ),
        (
            "value",
            Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.value))),
        ),
        ("low", Arc::new(Float64Array::from_iter(rows.iter().map(|row| row.low)))),
        (
            "high",
            Arc::new(Float64Array::from_iter(rows.iter().map(|row| row.high))),
        ),
    ];
    Ok(RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, column)| (name, column, true)),
    )?)
}
