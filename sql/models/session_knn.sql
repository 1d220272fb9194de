-- session_knn: what the most similar past sessions clicked.
-- `clickrec evaluate` measures this part of the blend on its own (pipelines.yaml: `recommender`).
with

-- what a session did not want after all makes no other session similar to it
disliked as (
    select
        session_id,
        item_id
    from gold.session_items
    where weight <= 0.0
),

history as (
    select
        events.session_id,
        events.item_id,
        events.event_at as last_event_at
    from silver.events
    left anti join disliked on events.session_id = disliked.session_id and events.item_id = disliked.item_id
),

wanted as (
    select * from gold.requests where item_id is not null and weight > 0.0
),

alike as (
    select session_id, item_id, score from session_knn(
        history,
        wanted,
        session => session_id,
        item => item_id,
        at => last_event_at,
        recency => var('recency', 1.0),
        k => var('k', 20),
        exclude_seen => var('exclude_seen', false)
    )
)

select
    alike.session_id,
    alike.item_id,
    alike.score
from alike
-- session_knn does not know of these
left anti join (select * from gold.requests where weight <= 0.0 and var('exclude_seen', false)) as seen
    on alike.session_id = seen.session_id and alike.item_id = seen.item_id
