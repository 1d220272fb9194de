-- gold.requests (view): one row per session that needs recommendations, and per item that it has interacted with:
-- everything that gold.recommendations knows about a session. A session that has lost its events to another session has
-- one row without an item.
-- `clickrec recommend`, `clickrec evaluate` and `clickrec serve` replace this view with sessions of their own.
with

touched as (
    select session_id from changes('gold.session_items')

    union

    select unnest(replaced_session_ids) as session_id from changes('silver.events')
)

select
    ---------- IDs
    touched.session_id,
    items.item_id,

    ---------- what the session did with it
    items.weight,
    items.views,
    items.add_to_carts,
    items.purchases,
    items.last_event_at
from touched
left join gold.session_items as items on touched.session_id = items.session_id
