-- Items whose ID contains $search, most popular first; an exact match comes before all others.
select item_id, rank, views, add_to_carts, purchases, sessions
from gold.item_popularity
where $search is null or strpos(item_id, $search) > 0
order by coalesce(item_id = $search, false) desc, rank
limit $limit
