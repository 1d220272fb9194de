-- gold.item_rules (view): one row per item that the shop has a rule for; items without a row have no restrictions.
-- Key: item_id. As shipped, items that the catalog says are out of stock are not shown. Without a catalog, write rows
-- here: `from (values ('prod_7', 'shoes', true)) as rules (item_id, category, is_shown)`.
with

items as (
    select
        item_id,
        category,
        -- `out of stock`, `out_of_stock`, `OutOfStock` and `https://schema.org/OutOfStock` are the same
        regexp_replace(lower(availability), '^.*/|[^a-z]', '', 'g') as availability
    from latest('gold.items')
),

rules as (
    select
        item_id,
        -- To limit the items of a category in a list, write `category` here, and `vars: { max_per_category: 3 }` in
        -- pipelines.yaml.
        cast(null as varchar) as category,
        case when availability in ('outofstock', 'soldout', 'discontinued') then false else true end as is_shown
    from items
)

select
    item_id,
    category,     -- at most `max_per_category` items of a category are shown (gold.recommendations)
    is_shown      -- false: never shown
from rules
where category is not null or not is_shown
