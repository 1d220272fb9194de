-- Items whose ID contains $search, or whose title in lower case contains $lowered, most popular first; an exact match
-- of the ID comes before all others.
with

titled as (
    select distinct item_id from gold.items where strpos(lower(title), $lowered) > 0
)

select
    counted.item_id,
    counted.rank,
    counted.views,
    counted.add_to_carts,
    counted.purchases,
    counted.sessions
from gold.item_popularity as counted
left join titled on counted.item_id = titled.item_id
where strpos(counted.item_id, $search) > 0 or titled.item_id is not null
order by coalesce(counted.item_id = $search, false) desc, counted.rank
limit $limit
