-- gold.item_popularity: one row per item: how often it was viewed, added to a cart and bought, ranked by popularity.
-- Key: item_id. Why from session_items: it is smaller than silver.events, and it already exists.
with

items as (
    select
        item_id,
        count(*) as sessions,
        sum(views) as views,
        sum(add_to_carts) as add_to_carts,
        sum(purchases) as purchases,
        max(last_event_at) as last_event_at
    from gold.session_items
    group by item_id
)

select
    ---------- IDs
    item_id,

    ---------- how popular
    row_number() over (order by sessions desc, item_id) as rank,
    sessions,
    views,
    add_to_carts,
    purchases,
    last_event_at
from items
