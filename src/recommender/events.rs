//! The events of one session: from the lake, or made up of the actions of a visitor that the lake does not know.
//! Actions may repeat; those without a time are a second apart, and have just happened.
//!
//! A shop asks with its own session IDs. If one was cut into several sessions, the newest is meant.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::compute::concat_batches;
use arrow::datatypes::Schema;
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

/// The column of the table of events that has the session ID as the shop sent it.
pub const GIVEN_SESSION_ID: &str = "given_session_id";

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

/// What the ID of a request stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionId {
    /// An ID that the shop gave, as its programs know it: the newest of the sessions into which it was cut
    /// (`sql/silver/events.sql`). Otherwise, the session that is called like it.
    Given,
    /// The session that is called like it, and no other.
    Exact,
}

/// The events of a session in the lake; none if the lake has no such session.
///
/// # Errors
/// When the table cannot be read.
pub async fn events_of_session(
    context: &SessionContext,
    events: &TableName,
    id: &str,
    meaning: SessionId,
) -> Result<RecordBatch, RecommenderError> {
    let columns = engine::plan(context, &format!("select * from {events}")).await?;
    let sql = session_query(events, columns.schema().inner(), meaning);
    let plan = engine::plan(context, &sql).await?;
    let plan = plan.with_param_values(ParamValues::from(session_parameters(id)))?;
    let rows = context.execute_logical_plan(plan).await?;
    let schema = rows.schema().inner().clone();
    let rows = concat_batches(&schema, &rows.collect().await?);
    Ok(rows.map_err(DataFusionError::from)?)
}

/// The query for the events of a session in a table with these columns; it takes [`session_parameters`]. Without a column
/// for the ID that the shop gave, every ID is exact.
///
/// Later parts of an ID are called like the ID, `@` and a time, so they lie between two texts, and files without any of
/// them are not read.
pub fn session_query(events: &TableName, columns: &Schema, meaning: SessionId) -> String {
    let has_parts = [GIVEN_SESSION_ID, "event_at", "event_id"]
        .iter()
        .all(|name| columns.column_with_name(name).is_some());
    match meaning {
        SessionId::Given if has_parts => format!(
            "select * from {events}
where session_id = $session_id or (session_id >= $first_part and session_id < $no_part)
qualify session_id = case
    when bool_or({GIVEN_SESSION_ID} = $session_id) over () then first_value(session_id) over (
        order by {GIVEN_SESSION_ID} = $session_id desc nulls last, event_at desc, event_id desc
    )
    else cast($session_id as varchar)
end"
        ),
        _ => format!("select * from {events} where session_id = $session_id"),
    }
}

/// The parameters of a query for the events of the session with this ID.
pub fn session_parameters(id: &str) -> Vec<(&'static str, ScalarValue)> {
    let text = |text: String| ScalarValue::Utf8(Some(text));
    vec![
        ("session_id", text(id.to_owned())),
        ("first_part", text(format!("{id}@"))),
        // `A` follows `@`.
        ("no_part", text(format!("{id}A"))),
    ]
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field};

    use super::*;

    #[test]
    fn only_a_table_that_has_the_given_id_has_parts_of_it() {
        let events = "silver.events".parse().unwrap();
        let of = |names: &[&str], meaning| {
            let fields = names.iter().map(|name| Field::new(*name, DataType::Utf8, true));
            session_query(&events, &Schema::new(fields.collect::<Vec<_>>()), meaning)
        };
        let plain = "select * from silver.events where session_id = $session_id";
        let all = ["session_id", "given_session_id", "event_at", "event_id"];
        assert_eq!(of(&all[..1], SessionId::Given), plain);
        assert_eq!(of(&all, SessionId::Exact), plain);
        assert!(of(&all, SessionId::Given).contains("qualify"));
    }

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
