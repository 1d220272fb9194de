-- gold.requests (view): one row per session that needs recommendations, and per item that it has interacted with:
-- everything that gold.recommendations knows about a session. A session that has lost its events to another session, or is left
-- out, has one row without an item.
-- `clickrec recommend`, `clickrec evaluate` and `clickrec serve` replace this view with sessions of their own.
--
-- With `vars: { earlier_sessions: 0.3 }`, the items of a person's earlier sessions count, too, with this share of their weight.
with

touched as (
    select session_id from changes('gold.session_items')

    union

    select unnest(replaced_session_ids) as session_id from changes('silver.events')

    union

    select session_id from gold.touched_sessions where is_excluded
),

-- (`latest`: what is known of other sessions, also when this one is answered before it is in the lake as a whole)
earlier as (
    select
        touched.session_id,
        items.item_id,
        var('earlier_sessions', 0.0) * sum(items.weight) as weight,
        sum(items.views) as views,
        sum(items.add_to_carts) as add_to_carts,
        sum(items.purchases) as purchases,
        max(items.last_event_at) as last_event_at
    from touched
    inner join latest('silver.people') as people on touched.session_id = people.session_id
    inner join latest('silver.people') as others
        on people.person_id = others.person_id and others.ended_at < people.started_at
    inner join latest('gold.session_items') as items on others.session_id = items.session_id
    left anti join gold.session_items as own on touched.session_id = own.session_id and items.item_id = own.item_id
    where var('earlier_sessions', 0.0) > 0
    group by touched.session_id, items.item_id
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

union all

select
    session_id,
    item_id,
    weight,
    views,
    add_to_carts,
    purchases,
    last_event_at
from earlier
