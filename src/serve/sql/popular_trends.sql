-- Items as `popular.sql` ranks them, which is put in here, with how much they rise.
select popular.*, trends.trend
from (POPULAR) as popular
left join gold.item_trends as trends on popular.item_id = trends.item_id
order by popular.rank
