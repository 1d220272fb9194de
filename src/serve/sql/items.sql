-- Items whose id has $search in it, most popular first.
select item_id, rank, views, add_to_carts, purchases, sessions
from gold.item_popularity
where $search is null or strpos(item_id, $search) > 0
order by rank
limit $limit
