-- silver.clicks (view): one row per new record of Bronze, parsed and checked.
-- `reason` says why a record is not accepted; it is null for accepted records. Reasons are categories, which can be counted;
-- `detail` holds the wrong value. The view depends only on the record, never on the clock, so all its readers agree.
-- Fields without a column here are kept in `extra`, as JSON. If the type of a value differs from its column's, the record
-- is not accepted; with `vars: { schema: evolve }` in pipelines.yaml, the value is kept in `extra` instead.
with

records as (
    select
        topic,
        partition,
        "offset",
        timestamp as received_at,
        value,
        from_json(
            value,
            'event_id string, timestamp timestamp, session_id string, user_id string, item_id string, event_type string,
             extra rest',
            var('schema', 'quarantine')
        ) as click
    from changes('bronze.clicks')
),

parsed as (
    select
        topic,
        partition,
        "offset",
        received_at,
        value,
        click['error'] as error,
        click['error_value'] as error_value,
        nullif(trim(click['event_id']), '') as given_event_id,
        click['timestamp'] as event_at,
        nullif(trim(click['session_id']), '') as session_id,
        nullif(trim(click['user_id']), '') as user_id,
        nullif(trim(click['item_id']), '') as item_id,
        click['event_type'] as event_type,
        click['extra'] as extra,
        -- a record's own time outside these limits is wrong (seconds or nanoseconds taken for milliseconds, a clock that
        -- was never set), so the event's time is not checked against it
        arrow_cast(var('oldest_event', '2000-01-01'), 'Timestamp(Microsecond, Some("UTC"))') as oldest,
        arrow_cast(var('newest_event', '2100-01-01'), 'Timestamp(Microsecond, Some("UTC"))') as newest
    from records
),

-- IDs that stand for nobody count as missing: what programs write where they have no ID (here in lower case). If IDs of
-- the shop's own stand for nobody, such as that of a terminal in a store, add them to both lists.
identified as (
    select
        * replace (
            case when lower(session_id) not in (
                'null', 'none', 'nil', 'nan', 'n/a', 'undefined',
                'unknown', 'anonymous', 'guest', '(not set)', '(none)', '[object object]',
                '0', '-1', '00000000-0000-0000-0000-000000000000', '00000000000000000000000000000000'
            ) then session_id end as session_id,
            case when lower(user_id) not in (
                'null', 'none', 'nil', 'nan', 'n/a', 'undefined',
                'unknown', 'anonymous', 'guest', '(not set)', '(none)', '[object object]',
                '0', '-1', '00000000-0000-0000-0000-000000000000', '00000000000000000000000000000000'
            ) then user_id end as user_id
        )
    from parsed
),

judged as (
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
            when event_type is null then 'event_type is missing'
            -- Add a type here, such as 'refund'. What it says about interest is in sql/gold/session_items.sql
            when event_type not in ('view', 'add_to_cart', 'remove_from_cart', 'purchase') then 'event_type is unknown'
            when session_id is null and user_id is null then 'session_id and user_id are both missing'
        end as reason
    from identified
)

select
    ---------- where it came from
    topic,
    partition,
    "offset",
    received_at,
    value,

    ---------- the event. Events with the same ID are one event (silver.events defines within how many days). Without an
    ---------- ID, events with the same content are one event; all fields count. Control characters separate the fields and
    ---------- stand in for missing ones, so that no two events look alike by accident. Where IDs do not distinguish events,
    ---------- `vars: { conflicting_events: keep }` makes the content part of the ID. (The cast is needed because md5 returns
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
            canonical_json(extra)
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
        when 'event_type is unknown' then left(event_type, 40)
        else error_value
    end as detail
from judged
