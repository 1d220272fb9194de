-- gold.item_activity: one row per day and item: how often it was viewed, added to a cart and bought that day.
-- Key: day. Only days with new events are recomputed, from silver.events; files of other days are not opened. A day whose
-- events are all gone (`clickrec erase`) returns one row without an item, which deletes its old rows (pipelines.yaml:
-- `delete: item_id is null`).
-- Read by the dashboard, which queries any range of days.
with

touched as (
    select distinct event_date from changes('silver.events')
)

select
    ---------- IDs
    touched.event_date as day,
    events.item_id,

    ---------- what happened
    count(events.item_id) as events,
    count(events.item_id) filter (where events.event_type = 'view') as views,
    count(events.item_id) filter (where events.event_type = 'add_to_cart') as add_to_carts,
    count(events.item_id) filter (where events.event_type = 'purchase') as purchases
from touched
left join silver.events as events on touched.event_date = events.event_date
group by touched.event_date, events.item_id
