//! `sql/silver/clicks.sql` for a mapping.

use super::super::findings::Findings;
use super::super::mapping::{Kinds, Mapping, Role};
use super::super::nobody::listed;
use super::columns::Columns;
use super::comments::{choice, comment, unknown_kinds};
use super::extra::extra;

const TIMESTAMP: &str = "'Timestamp(Microsecond, Some(\"UTC\"))'";
/// What a shop may call its events, if none of its own names is known.
const EXAMPLES: [&str; 3] = ["view", "add_to_cart", "purchase"];

/// The view that parses and checks records.
pub(super) fn clicks_sql(findings: &Findings) -> String {
    let mapping = &findings.mapping;
    let columns = Columns::of(mapping);
    [
        head(findings),
        records(mapping, &columns),
        lines(mapping, &columns),
        parsed(mapping, &columns),
        identified(mapping),
        judged(mapping),
        result(mapping),
    ]
    .concat()
}

fn head(findings: &Findings) -> String {
    let rows = match findings.mapping.list {
        Some(_) => "one row per item of each new record",
        None => "one row per new record",
    };
    let policy = match findings.mapping.is_mixed() {
        true => "Some values are strings in one record and numbers in another, so both are accepted (`evolve`)",
        false => {
            "If the type of a value differs from its column's, the record is not accepted; with `vars: { schema: evolve \
             }` in pipelines.yaml, the value is kept in `extra` instead"
        }
    };
    let preset = match &findings.preset {
        Some((name, about, _)) => format!(", which are {about} (the preset `{name}`)"),
        None => String::new(),
    };
    [
        comment(0, &format!("silver.clicks (view): {rows} of Bronze, parsed and checked.")),
        comment(
            0,
            &format!(
                "`clickrec init --from` wrote it after looking at {} records of {}{preset}. Its choices are explained where \
                 they are made. Change what is wrong: the next run rebuilds Silver from Bronze.",
                findings.records.len(),
                findings.sample.escape_debug()
            ),
        ),
        comment(
            0,
            "`reason` says why a record is not accepted; it is null for accepted records. Reasons are categories, which \
             can be counted; `detail` holds the wrong value. The view depends only on the record, never on the clock, so \
             all its readers agree.",
        ),
        comment(0, &format!("Fields without a column here are kept in `extra`, as JSON. {policy}.")),
    ]
    .concat()
}

/// `from_json(…)`, with a column per line.
fn from_json(value: &str, declared: Vec<String>, mapping: &Mapping) -> String {
    let policy = if mapping.is_mixed() { "evolve" } else { "quarantine" };
    let columns = declared.into_iter().chain(["extra rest".to_owned()]);
    let columns: Vec<String> = columns.map(|column| column.replace('\'', "''")).collect();
    format!(
        "        from_json(
            {value},
            '{}',
            var('schema', '{policy}')
        )",
        columns.join(",\n             ")
    )
}

fn records(mapping: &Mapping, columns: &Columns<'_>) -> String {
    format!(
        "with

records as (
    select
        topic,
        partition,
        \"offset\",
        timestamp as received_at,
        value,
{} as click
    from changes('bronze.clicks')
),

",
        from_json("value", columns.of_record(), mapping)
    )
}

/// The CTEs that make rows of the items of a list.
fn lines(mapping: &Mapping, columns: &Columns<'_>) -> String {
    let Some(list) = &mapping.list else {
        return String::new();
    };
    let item = if list.plain.is_some() { "item" } else { "item_text" };
    let why = comment(
        0,
        &format!(
            "a row for each item of {}, because of this: {}. A record without items is one row, too, so that it can be \
             rejected with a reason",
            list.path, list.reason
        ),
    );
    let lines = format!(
        "{why}lines as (
    select
        topic,
        partition,
        \"offset\",
        received_at,
        value,
        click,
        unnest(click['items']) as {item},
        unnest(generate_series(1, greatest(coalesce(cast(array_length(click['items']) as bigint), 0), 1))) as line
    from records
),

"
    );
    match list.plain {
        Some(_) => lines,
        None => format!(
            "{lines}items as (
    select
        *,
{} as item
    from lines
),

",
            from_json("item_text", columns.of_items(), mapping)
        ),
    }
}

fn parsed(mapping: &Mapping, columns: &Columns<'_>) -> String {
    let of_items = matches!(&mapping.list, Some(list) if list.plain.is_none());
    let (from, line) = match &mapping.list {
        None => ("records", ""),
        Some(list) if list.plain.is_some() => ("lines", "        line,\n"),
        Some(_) => ("items", "        line,\n"),
    };
    // Without items, there is nothing to parse.
    let error = |field: &str| match of_items {
        true => format!("coalesce(click['{field}'], case when item_text is not null then item['{field}'] end)"),
        false => format!("click['{field}']"),
    };
    let text = |role| columns.text(role).unwrap_or_else(|| "cast(null as varchar)".to_owned());
    let time = columns.time();
    let time = time.unwrap_or_else(|| format!("arrow_cast(cast(null as varchar), {TIMESTAMP})"));
    let anonymous = columns.anonymous();
    let mut chosen = String::new();
    for (role, column, value) in [
        (Role::EventId, "event_id", event_id(mapping, columns)),
        (Role::Time, "event_at", time),
        (
            Role::Session,
            "session_id",
            session_id(mapping, anonymous.as_ref(), &text),
        ),
        (Role::User, "user_id", text(Role::User)),
        (Role::Item, "item_id", text(Role::Item)),
    ] {
        let name = if role == Role::EventId {
            "given_event_id"
        } else {
            column
        };
        chosen.push_str(&choice(role, column, mapping));
        chosen.push_str(&format!("        {value} as {name},\n"));
    }
    format!(
        "parsed as (
    select
        topic,
        partition,
        \"offset\",
{line}        received_at,
        value,
        {} as error,
        {} as error_value,
{chosen}{}        {} as extra,
        -- a record's own time outside these limits is wrong (seconds or nanoseconds taken for milliseconds, a clock that
        -- was never set), so the event's time is not checked against it
        arrow_cast(var('oldest_event', '2000-01-01'), {TIMESTAMP}) as oldest,
        arrow_cast(var('newest_event', '2100-01-01'), {TIMESTAMP}) as newest
    from {from}
),

",
        error("error"),
        error("error_value"),
        event_type(mapping, &text),
        extra(of_items, anonymous.as_ref()),
    )
}

fn event_id(mapping: &Mapping, columns: &Columns<'_>) -> String {
    let Some(id) = columns.text(Role::EventId) else {
        return "cast(null as varchar)".to_owned();
    };
    match mapping.list.is_some() && columns.has_record_id() {
        // The same for every delivery of an item, and different for each item.
        true => format!("case when {id} is not null then concat({id}, '#', cast(line as varchar)) end"),
        false => id,
    }
}

fn session_id(mapping: &Mapping, anonymous: Option<&(String, String)>, text: &dyn Fn(Role) -> String) -> String {
    let session = text(Role::Session);
    match (&mapping.session_within_user, anonymous) {
        (None, _) => session,
        (Some(_), None) => format!(
            "case when {session} is not null then concat_ws('/', {}, {session}) end",
            text(Role::User)
        ),
        // The ID of a browser is already one of its own.
        (Some(_), Some((anonymous, _))) => format!(
            "case\n            when {session} = {anonymous} then {session}\n            when {session} is not null then \
             concat_ws('/', coalesce({anonymous}, {}), {session})\n        end",
            text(Role::User)
        ),
    }
}

fn event_type(mapping: &Mapping, text: &dyn Fn(Role) -> String) -> String {
    let comments = choice(Role::Kind, "event_type", mapping);
    let kind = text(Role::Kind);
    let Kinds::ByValue { known, .. } = &mapping.kinds else {
        let value = match &mapping.kinds {
            Kinds::ByPresence(_) => format!("case when {kind} is not null then 'purchase' else 'view' end"),
            _ => "'view'".to_owned(),
        };
        return format!("{comments}        {value} as event_type,\n");
    };
    let case = |kind: &str, event: &str| format!("            when '{}' then '{event}'\n", kind.replace('\'', "''"));
    let cases: String = match known.is_empty() {
        true => EXAMPLES.iter().map(|kind| case(kind, kind)).collect(),
        false => known
            .iter()
            .map(|(kind, event)| case(kind, &event.to_string()))
            .collect(),
    };
    format!(
        "{comments}        case {kind}\n{cases}{}        end as event_type,\n        {kind} as given_event_type,\n",
        unknown_kinds(mapping)
    )
}

/// Whether the kind of an event is in a field.
fn has_kinds(mapping: &Mapping) -> bool {
    matches!(mapping.kinds, Kinds::ByValue { .. })
}

/// The CTE that takes IDs that stand for nobody as missing.
fn identified(mapping: &Mapping) -> String {
    let (sessions, users) = (listed(&mapping.session), listed(&mapping.user));
    format!(
        "-- IDs that stand for nobody count as missing: what programs write where they have no ID (here in lower case). If IDs of
-- the shop's own stand for nobody, such as that of a terminal in a store, add them to both lists.
identified as (
    select
        * replace (
            case when lower(session_id) not in (
                {sessions}
            ) then session_id end as session_id,
            case when lower(user_id) not in (
                {users}
            ) then user_id end as user_id
        )
    from parsed
),

"
    )
}

fn judged(mapping: &Mapping) -> String {
    let kinds = match has_kinds(mapping) {
        false => "",
        true => {
            "            when given_event_type is null then 'event_type is missing'
            when event_type is null then 'event_type is unknown'
"
        }
    };
    format!(
        "judged as (
    select
        *,
        case
            when error is not null then error
            when event_at is null then 'timestamp is missing'
            when event_at < oldest then 'timestamp is too old'
            when event_at >= newest then 'timestamp is in the future'
            -- up to a day ahead is still accepted: clocks differ
            when event_at > case when received_at >= oldest and received_at < newest then received_at end + interval '1 day'
                then 'timestamp is in the future'
            when item_id is null then 'item_id is missing'
{kinds}            when session_id is null and user_id is null then 'session_id and user_id are both missing'
        end as reason
    from identified
)

"
    )
}

fn result(mapping: &Mapping) -> String {
    let (line, of_line) = match mapping.list.is_some() {
        true => ("    line,\n", "            cast(line as varchar),\n"),
        false => ("", ""),
    };
    let (of_kind, detail_of_kind) = match has_kinds(mapping) {
        true => (
            "            coalesce(given_event_type, chr(30)),\n",
            "        when 'event_type is unknown' then left(given_event_type, 40)\n",
        ),
        false => ("", ""),
    };
    format!(
        "select
    ---------- where it came from
    topic,
    partition,
    \"offset\",
{line}    received_at,
    value,

    ---------- the event. Events with the same ID are one event (silver.events defines within how many days). Without an
    ---------- ID, events with the same content are one event; all fields count. Control characters separate the fields and
    ---------- stand in for missing ones, so that no two events look alike by accident. Where IDs do not distinguish events,
    ---------- `vars: {{ conflicting_events: keep }}` makes the content part of the ID. (The cast is needed because md5 returns
    ---------- string views, which sorts cannot release, and which cannot be used to look up files.)
    case
        when given_event_id is not null and var('conflicting_events', 'quarantine') <> 'keep' then given_event_id
        else concat_ws('#', given_event_id, cast(md5(concat_ws(
            chr(31),
            cast(event_at as varchar),
            coalesce(session_id, chr(30)),
            coalesce(user_id, chr(30)),
            coalesce(item_id, chr(30)),
            coalesce(event_type, chr(30)),
{of_kind}{of_line}            canonical_json(extra)
        )) as varchar))
    end as event_id,
    event_at,
    session_id,
    user_id,
    item_id,
    event_type,
    extra,

    ---------- the result of the checks
    reason,
    case reason
        when 'timestamp is too old' then cast(event_at as varchar)
        when 'timestamp is in the future' then cast(event_at as varchar)
{detail_of_kind}        else error_value
    end as detail
from judged
"
    )
}
