-- gold.item_popularity: one row per item: how often it was viewed, added to a cart and bought, ranked by popularity.
-- Key: item_id. Why from session_items: it is smaller than silver.events, and it already exists.
--
-- Popularity is the number of sessions that were interested in the item, but old items fade: a session counts half as
-- much every `popularity_half_life` days, and no longer at all after `popularity_window` days. 0 turns either off. The
-- other numbers count everything.
with

-- The present, according to the events: the newest day such that a twentieth of a usual day's rows, and at least ten (half
-- of all, if there are few), are from that day or later. A few events from a clock that is years ahead have no effect.
days as (
    select
        date_trunc('day', last_event_at) as day,
        count(*) as rows_of_day
    from gold.session_items
    group by date_trunc('day', last_event_at)
),

newest as (
    select max(day) as day
    from (
        select
            day,
            sum(rows_of_day) over (order by day desc rows unbounded preceding) as rows_since,
            sum(rows_of_day) over () as all_rows,
            avg(rows_of_day) over () as usual_rows
        from days
    )
    where rows_since >= greatest(0.05 * usual_rows, least(10, 0.5 * all_rows))
),

aged as (
    select
        items.*,
        -- in whole days
        greatest(
            extract(epoch from newest.day) - extract(epoch from date_trunc('day', items.last_event_at)),
            0.0
        ) / 86400.0 as age
    from gold.session_items as items
    cross join newest
),

faded as (
    select
        *,
        case
            -- a dislike, or nothing
            when weight <= 0.0 then 0.0
            when var('popularity_window', 180) > 0 and age >= var('popularity_window', 180) then 0.0
            when var('popularity_half_life', 30.0) > 0.0 then power(0.5, age / var('popularity_half_life', 30.0))
            else 1.0
        end as interest
    from aged
),

items as (
    select
        item_id,
        -- rounded, so that the order of summation does not matter
        round(sum(interest), 6) as popularity,
        count(*) as sessions,
        sum(views) as views,
        sum(add_to_carts) as add_to_carts,
        sum(purchases) as purchases,
        max(last_event_at) as last_event_at
    from faded
    group by item_id
)

select
    ---------- IDs
    item_id,

    ---------- how popular
    row_number() over (order by popularity desc, sessions desc, item_id) as rank,
    popularity,
    sessions,
    views,
    add_to_carts,
    purchases,
    last_event_at
from items
