-- gold.session_items: one row per session and item: how interested the session was in the item. The recommender learns
-- from `weight`.
-- Key: session_id (all items of a touched session are recomputed). A session without events returns one row
-- without an item, which deletes its old rows (pipelines.yaml: `delete: item_id is null`).
--
-- Change the weights here: how much each type of event counts, and how fast interest fades.
-- The sum may be below 0: then the session disliked the item. Nothing is recommended because of such an item, ALS learns
-- the dislike, and the item counts as seen (docs/sql.md).
with

touched as (
    select session_id from gold.touched_sessions
),

events as (
    select
        touched.session_id,
        events.item_id,
        events.event_type,
        events.event_at,
        first_value(events.event_at) over (
            partition by touched.session_id order by events.event_at desc rows unbounded preceding
        ) as session_ended_at
    from touched
    left join silver.events as events on touched.session_id = events.session_id
),

weighted as (
    select
        session_id,
        item_id,
        event_type,
        event_at,
        case event_type
            when 'view' then 1.0
            when 'add_to_cart' then 3.0
            when 'remove_from_cart' then -3.0
            when 'purchase' then 5.0
            when 'refund' then -5.0
            -- a type that sql/silver/clicks.sql accepts counts as nothing until it has a line here
            else 0.0
        end as type_weight,
        -- interest halves every 30 minutes before the session's end, but never fades completely
        greatest(
            power(
                0.5,
                (extract(epoch from session_ended_at) - extract(epoch from event_at)) / (60.0 * var('interest_half_life', 30.0))
            ),
            0.001
        ) as recency
    from events
)

select
    ---------- IDs
    session_id,
    item_id,

    ---------- what the recommender learns from; rounded, so that the order of summation does not matter
    case when item_id is not null then round(sum(type_weight * recency), 6) end as weight,

    ---------- what happened
    count(item_id) filter (where event_type = 'view') as views,
    count(item_id) filter (where event_type = 'add_to_cart') as add_to_carts,
    count(item_id) filter (where event_type = 'purchase') as purchases,
    max(event_at) as last_event_at
from weighted
group by session_id, item_id
