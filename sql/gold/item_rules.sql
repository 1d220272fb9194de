-- gold.item_rules (view): one row per item that the shop has a rule for; items without a row have no restrictions.
-- Key: item_id. Put the shop's own catalog here: a table of the lake, or rows as below.
select
    item_id,
    category,     -- at most `max_per_category` items of a category are shown (gold.recommendations)
    is_shown      -- false: never shown
from (values ('prod_7', 'shoes', true)) as rules (item_id, category, is_shown)
where false         -- remove this line once you have added your own rows
