-- gold.recommendations: the ten items to show a session next, best first by `rank`.
-- Key: session_id (a session with new interactions gets a new list). Sessions that training has not seen are folded in,
-- so new clicks count at once; a new model gives every session a new list. A session without any recommendation, or one
-- that has lost its events to another, leaves one row with no item, which deletes its old list (pipelines.yaml:
-- `delete: item_id is null`).
with

touched as (
    select session_id from changes('gold.session_items')

    union

    select unnest(replaced_session_ids) as session_id from changes('silver.events')
),

interactions as (
    select
        session_id,
        item_id,
        weight
    from gold.session_items
    left semi join touched on session_items.session_id = touched.session_id
),

recommended as (
    select * from recommend(
        gold.als_factors,
        interactions,
        user => session_id,
        item => item_id,
        weight => weight,
        k => 10,
        exclude_seen => true
    )
)

select
    ---------- ids
    touched.session_id,
    recommended.item_id,

    ---------- how well it fits
    recommended.rank,
    recommended.score
from touched
left join recommended on touched.session_id = recommended.session_id
