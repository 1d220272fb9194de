//! Queries of events over the view `silver.clicks` of a file's records. Each begins with the CTE `judged`: a row for
//! each record, or item of one, and why it is `rejected`. Simultaneous clicks keep the order of the file.

use crate::inspect::mapping::{Mapping, Role};
use crate::inspect::place::FieldPath;

/// What determines the order of events in a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Their times.
    Time,
    /// Their positions in the session; times are made up.
    Position,
}

/// The location of a row in the files.
const PLACE: &str = "topic, \"offset\", line";
/// The columns of a result.
const EVENT: &str = "session_id, item_id, user_id, event_type";
const EVENT_ID: &str =
    "concat(topic, '#', cast(\"offset\" as varchar), '#', cast(line as varchar)) as event_id, \"offset\"";
/// Made-up times are seconds from here on.
const FIRST_SECOND: u64 = 1_700_000_000;

/// The CTE `judged` for records with this mapping.
pub(super) fn judged(mapping: &Mapping, order: Order) -> String {
    let position = mapping.other(Role::Position).filter(|_| order == Order::Position);
    let (clicks, from, place) = match position {
        Some(field) => {
            // In `extra`, `item` has the fields of an item that have no column.
            let (value, place) = match field.place.list {
                None => ("value", declared("place", &field.place.path)),
                Some(_) => ("extra", declared("place", &field.place.path).replacen("$", "$.item", 1)),
            };
            (
                format!("placed as (select *, from_json({value}, '{place}', 'evolve') as found from silver.clicks), "),
                "placed",
                "try_cast(found['place'] as double)",
            )
        }
        None => (String::new(), "silver.clicks", "cast(null as double)"),
    };
    let line = if mapping.list.is_some() { "line" } else { "0" };
    // Without times, only the others of its checks count.
    let reason = match order {
        Order::Time => "when reason is not null then reason",
        Order::Position => "when reason <> 'timestamp is missing' then reason",
    };
    let visitor = match mapping.session.fields.is_empty() {
        true => "user_id",
        false => "session_id",
    };
    format!(
        "{clicks}judged as (select {EVENT}, event_at, {place} as place, topic, \"offset\", {line} as line, case {reason} \
         when item_id is null then 'item_id is missing' when event_type is null then 'event_type is unknown' when \
         {visitor} is null then '{visitor} is missing' end as rejected from {from})"
    )
}

/// The same for rows with a prefix of items, separated by spaces, and the next item. Each row is a session of its own,
/// even if IDs repeat.
pub(super) fn sequences([id, prefix, target]: &[FieldPath; 3]) -> String {
    let columns = [
        declared("id", id),
        declared("prefix", prefix),
        declared("target", target),
    ];
    format!(
        "tests as (select topic, \"offset\", from_json(value, '{}', 'evolve') as test from changes('bronze.clicks')), \
         lists as (select topic, \"offset\", concat(test['id'], '#', cast(\"offset\" as varchar)) as session_id, \
         string_to_array(concat(test['prefix'], ' ', test['target']), ' ') as items from tests where \
         trim(coalesce(test['target'], '')) <> ''), steps as (select topic, \
         \"offset\", session_id, unnest(items) as item_id, unnest(generate_series(1, cast(array_length(items) as \
         bigint))) as line from lists), judged as (select session_id, item_id, cast(null as varchar) as user_id, 'view' \
         as event_type, cast(line as double) as place, topic, \"offset\", line, case when item_id = '' then 'item_id is \
         missing' end as rejected from steps)",
        columns.join(", ")
    )
}

/// How many rows are rejected, by reason; NULL for those that are not.
pub(super) fn left_out(judged: &str) -> String {
    format!(
        "with {judged} select arrow_cast(rejected, 'Utf8') as reason, count(*) as records from judged group by \
         rejected order by records desc, reason"
    )
}

/// Clicks with times; simultaneous ones of a session are a microsecond apart. Where no field is the session, it is
/// inferred: the clicks of a visitor (`Mapping::visitor`) that are no more than 30 minutes apart.
pub(super) fn timed(judged: &str, visitor: Option<Role>) -> String {
    let id = if visitor == Some(Role::User) {
        "user_id"
    } else {
        "session_id"
    };
    let sessions = match visitor {
        None => "accepted as (select * from judged where rejected is null)".to_owned(),
        Some(_) => format!(
            "visits as (select *, lag(event_at) over (partition by {id} order by event_at, {PLACE}) as before_at from \
             judged where rejected is null), numbered as (select *, sum(case when event_at <= before_at + interval '30 \
             minutes' then 0 else 1 end) over (partition by {id} order by event_at, {PLACE} rows unbounded preceding) \
             as visit from visits), accepted as (select concat({id}, '@', cast(visit as varchar)) as session_id, \
             item_id, user_id, event_type, event_at, {PLACE} from numbered)"
        ),
    };
    format!(
        "with {judged}, {sessions} select {EVENT}, to_timestamp_micros(arrow_cast(event_at, 'Int64') + \
         cast(row_number() over (partition by session_id, event_at order by {PLACE}) as bigint)) as event_at, \
         {EVENT_ID} from accepted"
    )
}

/// Clicks without times, placed a second apart: sessions in the order of the file, clicks in the order of their
/// positions.
pub(super) fn ordered(judged: &str) -> String {
    format!(
        "with {judged}, numbered as (select *, row_number() over (order by {PLACE}) as number from judged where rejected \
         is null), sessions as (select session_id as id, min(number) as first_number from numbered group by session_id) \
         select {EVENT}, to_timestamp_micros(1000000 * ({FIRST_SECOND} + cast(row_number() over (order by first_number, \
         place, number) as bigint))) as event_at, {EVENT_ID} from numbered inner join sessions on session_id = id"
    )
}

/// A column of `from_json`, which takes texts and numbers.
fn declared(name: &str, path: &FieldPath) -> String {
    format!("{name} string from {}", path.declared()).replace('\'', "''")
}
