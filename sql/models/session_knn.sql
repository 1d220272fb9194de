-- session_knn: what the most similar past sessions clicked.
-- `clickrec evaluate` measures this part of the blend on its own (pipelines.yaml: `recommender`).
select session_id, item_id, score from session_knn(
    (
        select events.session_id, events.item_id, events.event_at as last_event_at
        from silver.events
        left anti join silver.excluded_sessions as excluded on events.session_id = excluded.session_id
    ),
    (select * from gold.requests where item_id is not null),
    session => session_id,
    item => item_id,
    at => last_event_at,
    k => var('k', 20),
    exclude_seen => var('exclude_seen', false)
)
