//! Takes events out of Bronze and Silver that are older than `retain_events`: whole data files, once all of their events
//! are too old by the statistics in the log. Nothing is read or written but the log. As after an erasure (`erase.rs`), no
//! step sees that as a change or as damage; `vacuum` deletes the files when no version within `retain` needs them.

use std::time::Duration;

use arrow::datatypes::DataType;
use chrono::Utc;

use super::data_files::data_files;
use super::erase::take_out;
use super::keys::{is_time, spans};
use super::{LakeError, LakeTable};

/// The layers that hold events.
const LAYERS: [&str; 2] = ["bronze", "silver"];
/// The columns that say when: of an event, of a session's last one, or else of its record. The first one that a table has counts.
const TIMES: [&str; 5] = ["event_date", "event_at", "ended_at", "received_at", "timestamp"];
const DAY_SECONDS: i64 = 24 * 60 * 60;

/// Takes out the files whose events are all older than `retain`; returns how many. None, if another writer is faster, or
/// another engine changed the table: the next maintenance tries again.
///
/// # Errors
/// When the log cannot be read or written.
pub(super) async fn expire(table: &LakeTable, retain: Duration) -> Result<usize, LakeError> {
    let Some(schema) = table
        .schema()?
        .filter(|_| LAYERS.contains(&table.name().layer.as_str()))
    else {
        return Ok(0);
    };
    let time = |column: &str| {
        schema
            .field_with_name(column)
            .ok()
            .filter(|field| is_time(field.data_type()))
    };
    let Some(column) = TIMES.iter().find_map(|column| time(column)) else {
        return Ok(0);
    };
    let seconds = i64::try_from(retain.as_secs()).unwrap_or(i64::MAX);
    let oldest = Utc::now().timestamp().saturating_sub(seconds);
    let oldest = match column.data_type() {
        DataType::Date32 => oldest.div_euclid(DAY_SECONDS),
        _ => oldest.saturating_mul(1_000_000),
    };
    let spans = spans(table, column.name());
    let mut old = data_files(table);
    old.retain(|file| {
        let span = table.place(&file.path).ok().and_then(|place| spans.get(&place));
        span.is_some_and(|(_, last)| *last < oldest)
    });
    if old.is_empty() {
        return Ok(0);
    }
    let files = old.len();
    match take_out(table, old).await {
        Ok(_) => Ok(files),
        Err(LakeError::Conflict { .. } | LakeError::ChangedByOthers { .. }) => Ok(0),
        Err(error) => Err(error),
    }
}
