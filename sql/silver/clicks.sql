-- silver.clicks (view): one row per new record of Bronze, parsed and judged.
-- `reason` says why a record is not accepted, and is null where it is. Both silver.events and silver.quarantine read
-- this view, and it looks at the record alone, never at the clock, so that no record can fall between them.
-- Fields that have no column here are kept in `extra`, as JSON. A value of another type than its column's is a reason not
-- to accept the record; with `vars: { schema: evolve }` in pipelines.yaml it is kept in `extra` instead.
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
             extra json',
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
        nullif(trim(click['event_id']), '') as given_event_id,
        click['timestamp'] as event_at,
        nullif(trim(click['session_id']), '') as session_id,
        nullif(trim(click['user_id']), '') as user_id,
        nullif(trim(click['item_id']), '') as item_id,
        click['event_type'] as event_type,
        click['extra'] as extra
    from records
)

select
    ---------- where it came from
    topic,
    partition,
    "offset",
    received_at,
    value,

    ---------- the event; where the shop gives it no id, the same content is the same event. Control characters stand
    ---------- between the fields and for those that are missing, so that no two events look alike by accident. (md5 gives
    ---------- views into text, which sorts cannot let go of, and by which no file can be looked up: hence the cast)
    coalesce(
        given_event_id,
        cast(md5(concat_ws(
            chr(31),
            cast(event_at as varchar),
            coalesce(session_id, chr(30)),
            coalesce(user_id, chr(30)),
            coalesce(item_id, chr(30)),
            coalesce(event_type, chr(30))
        )) as varchar)
    ) as event_id,
    event_at,
    session_id,
    user_id,
    item_id,
    event_type,
    extra,

    ---------- the judgement
    case
        when error is not null then error
        when event_at is null then 'timestamp is missing'
        when event_at > received_at + interval '1 day' then 'timestamp is in the future'
        when item_id is null then 'item_id is missing'
        when event_type is null then 'event_type is missing'
        when event_type not in ('view', 'add_to_cart', 'purchase') then 'event_type is unknown'
        when session_id is null and user_id is null then 'session_id and user_id are both missing'
    end as reason
from parsed
