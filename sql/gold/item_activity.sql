-- gold.item_activity: one row per day and item: how often it was viewed, added to a cart and bought that day.
-- Key: day, in the shop's time zone (`timezone` in pipelines.yaml; UTC without it). Only days with new events are recomputed,
-- from silver.events; files of other dates are not opened. A day of which nothing counts, or whose events were erased, returns
-- one row without an item, which deletes its old rows (pipelines.yaml: `delete: item_id is null`).
-- Read by the dashboard, which queries any range of days.
with

touched as (
    select cast(event_at at time zone var('timezone', 'UTC') as date) as day from changes('silver.events')

    union

    -- the days of a session over midnight: its last events may decide whether the first ones count (silver.excluded_sessions)
    select unnest(generate_series(first_day, last_day, interval '1 day')) as day
    from (
        select
            cast(started_at at time zone var('timezone', 'UTC') as date) as first_day,
            cast(ended_at at time zone var('timezone', 'UTC') as date) as last_day
        from changes('silver.people')
    )
    where first_day < last_day
),

-- the dates of UTC (event_date) on which the events of such a day may be: in UTC only its own
dates as (
    select
        day,
        cast(day + distance as date) as event_date
    from touched
    cross join (values (interval '-1 day'), (interval '0 days'), (interval '1 day')) as distances (distance)
    where distance = interval '0 days' or var('timezone', 'UTC') <> 'UTC'
),

events as (
    select
        *,
        cast(event_at at time zone var('timezone', 'UTC') as date) as day
    from silver.events
),

counted as (
    select
        dates.day,
        events.item_id,
        events.event_type
    from dates
    inner join events on dates.event_date = events.event_date and dates.day = events.day
    left anti join silver.excluded_sessions as excluded on events.session_id = excluded.session_id
)

select
    ---------- IDs
    touched.day,
    counted.item_id,

    ---------- what happened
    count(counted.item_id) as events,
    count(counted.item_id) filter (where counted.event_type = 'view') as views,
    count(counted.item_id) filter (where counted.event_type = 'add_to_cart') as add_to_carts,
    count(counted.item_id) filter (where counted.event_type = 'purchase') as purchases
from touched
left join counted on touched.day = counted.day
group by touched.day, counted.item_id
