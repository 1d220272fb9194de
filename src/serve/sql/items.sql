-- Items whose id has $search in it, most popular first; the one that is called $search comes before all.
select item_id, rank, views, add_to_carts, purchases, sessions
from gold.item_popularity
where $search is null or strpos(item_id, $search) > 0
order by coalesce(item_id = $search, false) desc, rank
limit $limit
