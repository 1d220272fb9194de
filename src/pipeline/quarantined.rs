//! `system.quarantine`: rows that did not meet an expectation, one row each.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::json::LineDelimitedWriter;
use chrono::Utc;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;

use super::{Node, PipelineError, system};
use crate::config::Expectation;
use crate::lake::Lake;

/// Puts rows aside. A row is known by its step and its values in the columns `key`, so that one that is put aside again
/// (the step died before its own commit, or lost it to another writer) is there once.
pub(super) async fn save(
    lake: &Lake,
    session: &SessionContext,
    node: &Node,
    expectation: &Expectation,
    key: &[String],
    rows: &[RecordBatch],
) -> Result<(), PipelineError> {
    let keys: Vec<RecordBatch> = rows.iter().map(|batch| project(batch, key)).collect::<Result<_, _>>()?;
    let (keys, rows) = (as_json(&keys)?, as_json(rows)?);
    let count = rows.len();
    let same = |text: &str| Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, count))) as ArrayRef;
    let now = TimestampMicrosecondArray::from(vec![Utc::now().timestamp_micros(); count]).with_timezone("UTC");
    let columns: [(&str, ArrayRef); 5] = [
        ("step", same(&node.name().to_string())),
        ("expectation", same(&expectation.name)),
        ("row_key", Arc::new(StringArray::from(keys))),
        ("row", Arc::new(StringArray::from(rows))),
        ("quarantined_at", Arc::new(now)),
    ];
    let batch =
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))
            .map_err(DataFusionError::from)?;
    let table = system::name(system::QUARANTINE);
    let key = ["step".to_owned(), "row_key".to_owned()];
    system::upsert(lake, session, &table, &key, batch)
        .await
        .map_err(|error| node.lake_error(error))
}

fn project(batch: &RecordBatch, columns: &[String]) -> Result<RecordBatch, DataFusionError> {
    let indices = columns.iter().map(|column| batch.schema().index_of(column));
    Ok(batch.project(&indices.collect::<Result<Vec<_>, _>>()?)?)
}

/// Each row as an object of JSON.
pub(super) fn as_json(batches: &[RecordBatch]) -> Result<Vec<String>, DataFusionError> {
    let mut writer = LineDelimitedWriter::new(vec![]);
    writer.write_batches(&batches.iter().collect::<Vec<_>>())?;
    writer.finish()?;
    let text = String::from_utf8(writer.into_inner()).map_err(|error| DataFusionError::External(Box::new(error)))?;
    Ok(text.lines().map(str::to_owned).collect())
}
