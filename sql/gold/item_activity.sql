-- gold.item_activity: one row per day and item: how often it was viewed, added to a cart and bought that day.
-- Key: day. Only days with new events are recomputed, from silver.events; files of other days are not opened. A day of which
-- nothing counts returns one row without an item, which deletes its old rows (pipelines.yaml: `delete: item_id is null`).
-- Read by the dashboard, which queries any range of days.
with

touched as (
    select event_date from changes('silver.events')

    union

    -- the days of a session over midnight: its last events may decide whether the first ones count (silver.excluded_sessions)
    select cast(unnest(generate_series(date_trunc('day', started_at), ended_at, interval '1 day')) as date) as event_date
    from changes('silver.people')
    where cast(started_at as date) < cast(ended_at as date)
),

counted as (
    select
        events.event_date,
        events.item_id,
        events.event_type
    from touched
    inner join silver.events as events on touched.event_date = events.event_date
    left anti join silver.excluded_sessions as excluded on events.session_id = excluded.session_id
)

select
    ---------- ids
    touched.event_date as day,
    counted.item_id,

    ---------- what happened
    count(counted.item_id) as events,
    count(counted.item_id) filter (where counted.event_type = 'view') as views,
    count(counted.item_id) filter (where counted.event_type = 'add_to_cart') as add_to_carts,
    count(counted.item_id) filter (where counted.event_type = 'purchase') as purchases
from touched
left join counted on touched.event_date = counted.event_date
group by touched.event_date, counted.item_id
