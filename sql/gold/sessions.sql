-- gold.sessions: one row per session: when, how long, what happened.
-- Key: session_id. Why a merge: only sessions with new events are computed again. A session that has lost all its
-- events to another one is left with none, and is deleted (pipelines.yaml: `delete: events = 0`).
with

touched as (
    select session_id from gold.touched_sessions
),

events as (
    select * from silver.events
)

select
    ---------- ids
    touched.session_id,
    min(events.user_id) as user_id,

    ---------- when
    min(events.event_at) as started_at,
    max(events.event_at) as ended_at,
    cast(extract(epoch from max(events.event_at)) - extract(epoch from min(events.event_at)) as bigint) as duration_s,

    ---------- what happened
    count(events.event_id) as events,
    count(events.event_id) filter (where events.event_type = 'view') as views,
    count(events.event_id) filter (where events.event_type = 'add_to_cart') as add_to_carts,
    count(events.event_id) filter (where events.event_type = 'purchase') as purchases,
    count(distinct events.item_id) as distinct_items,
    coalesce(bool_or(events.event_type = 'purchase'), false) as converted
from touched
left join events on touched.session_id = events.session_id
group by touched.session_id
