-- Items ranked by their events on the days of a range, or only by those of $event_type if it is given.
with

counted as (
    select
        item_id,
        sum(events) as events,
        sum(views) as views,
        sum(add_to_carts) as add_to_carts,
        sum(purchases) as purchases
    from gold.item_activity
    where
        ($first_day is null or day >= $first_day)
        and ($last_day is null or day <= $last_day)
    group by item_id
),

ordered as (
    select
        *,
        case $event_type when 'view' then views when 'add_to_cart' then add_to_carts when 'purchase' then purchases else events end as weight
    from counted
)

select
    item_id,
    row_number() over (order by weight desc, item_id asc) as rank,
    views,
    add_to_carts,
    purchases
from ordered
where weight > 0
order by rank
limit $limit
