-- gold.items: one row per item of the shop's catalog: what to show for it. Read by `clickrec serve`, `recommend` and
-- `similar` (pipelines.yaml: `items` under `recommender`), and by gold.item_rules.
-- Key: item_id. The file is read as a whole whenever it has changed; if an item has several rows, the last one counts.
-- Rows without an item_id, among them those that cannot be read, go to system.quarantine (pipelines.yaml: `expect`).
with

records as (
    select
        topic,
        "offset",
        from_json(
            value,
            'item_id string, title string, category string, price string, image string, url string, availability string,
             created string, extra rest',
            'evolve'     -- if the file is not CSV, a price may be a number
        ) as item
    from changes('items')
),

parsed as (
    select
        topic,
        "offset",
        nullif(trim(item['item_id']), '') as item_id,
        nullif(trim(item['title']), '') as title,
        nullif(trim(item['category']), '') as category,
        -- NULL for a price that is not a number
        try_cast(trim(item['price']) as double) as price,
        nullif(trim(item['image']), '') as image,
        nullif(trim(item['url']), '') as url,
        nullif(trim(item['availability']), '') as availability,
        try_to_timestamp_micros(item['created']) as created,
        item['extra'] as extra,
        item['error'] as error
    from records
),

numbered as (
    select
        *,
        row_number() over (partition by item_id order by topic desc, "offset" desc) as from_last
    from parsed
)

select
    ---------- IDs
    item_id,

    ---------- what to show
    title,
    category,
    price,
    image,                      -- a URL; `data:image/…` works, too
    url,

    ---------- whether it can be bought, and since when
    availability,               -- as the shop writes it; gold.item_rules reads it
    created,                    -- when the shop started to sell the item

    ---------- the other columns of the file, as JSON
    extra,

    ---------- where it came from
    "offset" as source_row,     -- the row in the file, from 1
    error                       -- why the row could not be read; such rows are in system.quarantine
from numbered
where from_last = 1 or item_id is null
