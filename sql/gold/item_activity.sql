-- gold.item_activity: one row per day and item: how often it was viewed, added to a cart and bought that day.
-- Key: day, in the shop's time zone (`timezone` in pipelines.yaml; UTC without it). Only days with new events are recomputed,
-- from silver.events; files of other dates are not opened. A day whose events are all gone (`clickrec erase`) returns only
-- rows without an item, which delete its old rows (pipelines.yaml: `delete: item_id is null`).
-- Read by the dashboard, which queries any range of days.
with

touched as (
    select distinct cast(event_at at time zone var('timezone', 'UTC') as date) as day from changes('silver.events')
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
)

select
    ---------- IDs
    dates.day,
    events.item_id,

    ---------- what happened
    count(events.item_id) as events,
    count(events.item_id) filter (where events.event_type = 'view') as views,
    count(events.item_id) filter (where events.event_type = 'add_to_cart') as add_to_carts,
    count(events.item_id) filter (where events.event_type = 'purchase') as purchases
from dates
left join events on dates.event_date = events.event_date and dates.day = events.day
group by dates.day, events.item_id
