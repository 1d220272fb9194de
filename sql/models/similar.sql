-- similar: the items that interest the same sessions, by the angle between their factors.
-- `clickrec similar ITEM` and the dashboard set var('item', …) and var('k', …).
select
    similar_item_id,
    rank,
    similarity
from similar_items(
    gold.als_factors,
    item => var('item', ''),
    k => var('k', 10)
)
