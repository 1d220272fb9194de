-- gold.item_rules (view): one row per item that the shop has a rule for; items without a row are shown as they come.
-- Key: item_id. This is the place for the shop's own catalogue: a table of the lake, or rows like
--     ('prod_7', 'shoes', true), ('prod_9', 'recalled', false)
select
    item_id,
    category,     -- at most `max_per_category` of one category are shown (gold.recommendations)
    is_shown      -- false: never
from (values (cast(null as varchar), cast(null as varchar), true)) as rules (item_id, category, is_shown)
where item_id is not null
