-- Items with how much they rise. The query in `popular.sql`, which ranks them, is put in for the name of its result.
select
    popular.item_id,
    popular.rank,
    popular.views,
    popular.add_to_carts,
    popular.purchases,
    trends.trend
from popular_items as popular
left join gold.item_trends as trends on popular.item_id = trends.item_id
order by popular.rank
