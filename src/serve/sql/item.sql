-- An item with its number of events.
select item_id, rank, views, add_to_carts, purchases, sessions
from gold.item_popularity
where item_id = $item_id
