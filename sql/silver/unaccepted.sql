-- silver.unaccepted (view): one row per new record that is not an event of its own: why, and what is wrong with it.
-- `outcome`: 'rejected' (by silver.clicks), 'repeated' (a delivery of an event that silver.events has), 'conflicting' (its ID
-- belongs to another event, within a day before or after), or NULL, which must never happen: a lost record.
-- The event that took precedence over a record is in silver.events, so this view and that table always agree.
with

-- (records that are not events anyway get no days, so that no files are opened for them)
clicks as (
    select
        *,
        cast(case when reason is null then event_at end as date) as event_date,
        cast(case when reason is null then event_at - interval '1 day' end as date) as day_before,
        cast(case when reason is null then event_at + interval '1 day' end as date) as day_after
    from silver.clicks
),

met as (
    select
        clicks.*,
        events.event_id is not null as is_met,
        events.event_id is not null
        and (events.topic is not distinct from clicks.topic)
        and (events.partition is not distinct from clicks.partition)
        and (events."offset" is not distinct from clicks."offset") as is_accepted,
        events.event_at as met_event_at,
        events.given_session_id as met_session_id,
        events.user_id as met_user_id,
        events.item_id as met_item_id,
        events.event_type as met_event_type,
        events.extra as met_extra
    from clicks
    left join silver.events as events on clicks.event_id = events.event_id and clicks.event_date = events.event_date
),

others as (
    select * from met where not is_accepted
),

outcomes as (
    select
        others.*,
        case
            when others.reason is not null then 'rejected'
            when
                others.is_met
                and others.event_at = others.met_event_at
                and (others.session_id is not distinct from others.met_session_id)
                and (others.user_id is not distinct from others.met_user_id)
                and others.item_id = others.met_item_id
                and others.event_type = others.met_event_type
                and (canonical_json(others.extra) is not distinct from canonical_json(others.met_extra))
                then 'repeated'
            when others.is_met or earlier.event_id is not null or later.event_id is not null then 'conflicting'
        end as outcome
    from others
    left join silver.events as earlier on others.event_id = earlier.event_id and others.day_before = earlier.event_date
    left join silver.events as later on others.event_id = later.event_id and others.day_after = later.event_date
)

select
    ---------- where it came from
    topic,
    partition,
    "offset",
    received_at,
    value,

    ---------- the event that it describes
    event_id,
    event_at,

    ---------- what became of it
    outcome,
    case outcome when 'conflicting' then 'event_id was used before with other content' else reason end as reason,
    case outcome when 'conflicting' then left(event_id, 40) else detail end as detail
from outcomes
