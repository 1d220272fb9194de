-- gold.sessions: one row per session: when, how long, what happened.
-- Key: session_id. Why a merge: only sessions with new events are recomputed. A session that has lost all its events
-- to another session is deleted (pipelines.yaml: `delete: events = 0`).
with

touched as (
    select session_id from gold.touched_sessions
),

-- group by item first: counting distinct items then means counting rows
items as (
    select
        touched.session_id,
        events.item_id,
        min(events.user_id) as user_id,
        min(events.event_at) as first_at,
        max(events.event_at) as last_at,
        count(events.event_id) as events,
        count(events.event_id) filter (where events.event_type = 'view') as views,
        count(events.event_id) filter (where events.event_type = 'add_to_cart') as add_to_carts,
        count(events.event_id) filter (where events.event_type = 'purchase') as purchases
    from touched
    left join silver.events as events on touched.session_id = events.session_id
    group by touched.session_id, events.item_id
)

select
    ---------- IDs
    session_id,
    min(user_id) as user_id,

    ---------- when
    min(first_at) as started_at,
    max(last_at) as ended_at,
    cast(extract(epoch from max(last_at)) - extract(epoch from min(first_at)) as bigint) as duration_s,

    ---------- what happened
    sum(events) as events,
    sum(views) as views,
    sum(add_to_carts) as add_to_carts,
    sum(purchases) as purchases,
    count(item_id) as distinct_items,
    sum(purchases) > 0 as converted
from items
group by session_id
