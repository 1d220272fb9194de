//! The events of one session: from the lake, or made up of the actions of a visitor that the lake does not know.
//! Actions may repeat; those without a time are a second apart, and have just happened.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::compute::concat_batches;
use chrono::Utc;
use datafusion::common::ParamValues;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use datafusion::scalar::ScalarValue;

use super::{RecommenderError, Requests};
use crate::config::TableName;
use crate::engine;

/// Events without a timestamp are placed this far apart.
const APART_MICROS: i64 = 1_000_000;

/// Something that a visitor did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Action<'a> {
    /// The item.
    pub item: &'a str,
    /// As in the table of events: `view`, `add_to_cart`, `remove_from_cart`, `purchase`, ….
    pub event_type: &'a str,
    /// When, in microseconds since 1970, if known.
    pub at_micros: Option<i64>,
}

impl<'a> Action<'a> {
    /// A view, at an unknown time.
    pub fn view(item: &'a str) -> Self {
        Self {
            item,
            event_type: "view",
            at_micros: None,
        }
    }
}

/// The events of a session with this ID that the lake does not know, as rows of the table of events. Actions without a
/// timestamp are a second apart, in the order given, and have just happened.
///
/// # Errors
/// When the table's columns have other types.
pub fn events_of_visitor(
    requests: &Requests,
    session: &str,
    actions: &[Action<'_>],
) -> Result<RecordBatch, RecommenderError> {
    let texts = |texts: Vec<&str>| Arc::new(StringArray::from(texts)) as ArrayRef;
    let times = TimestampMicrosecondArray::from(times(actions, Utc::now().timestamp_micros()));
    requests.events(&[
        ("session_id", texts(vec![session; actions.len()])),
        ("item_id", texts(actions.iter().map(|action| action.item).collect())),
        (
            "event_type",
            texts(actions.iter().map(|action| action.event_type).collect()),
        ),
        ("event_at", Arc::new(times)),
    ])
}

fn times(actions: &[Action<'_>], now_micros: i64) -> Vec<i64> {
    let back = (1..=actions.len() as i64).rev();
    let times = back.zip(actions).map(|(back, action)| match action.at_micros {
        Some(at) => at,
        None => now_micros - back * APART_MICROS,
    });
    times.collect()
}

/// The events of a session in the lake; none if the lake has no such session.
///
/// # Errors
/// When the table cannot be read.
pub async fn events_of_session(
    context: &SessionContext,
    events: &TableName,
    id: &str,
) -> Result<RecordBatch, RecommenderError> {
    let sql = format!("select * from {events} where session_id = $session_id");
    let id = ("session_id", ScalarValue::Utf8(Some(id.to_owned())));
    let plan = engine::plan(context, &sql).await?;
    let plan = plan.with_param_values(ParamValues::from(vec![id]))?;
    let rows = context.execute_logical_plan(plan).await?;
    let schema = rows.schema().inner().clone();
    let rows = concat_batches(&schema, &rows.collect().await?);
    Ok(rows.map_err(DataFusionError::from)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_without_a_time_are_a_second_apart() {
        let timed = Action {
            at_micros: Some(7),
            ..Action::view("b")
        };
        let found = times(&[Action::view("a"), timed, Action::view("c")], 10_000_000);
        assert_eq!(found, [7_000_000, 7, 9_000_000]);
    }
}
