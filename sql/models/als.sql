-- als: the items nearest to a session in taste space.
-- `clickrec evaluate` measures this part of the blend on its own (pipelines.yaml: `recommender`).
select session_id, item_id, score from recommend(
    gold.als_factors,
    (select * from gold.requests where item_id is not null),
    user => session_id,
    item => item_id,
    weight => weight,
    k => var('k', 20),
    exclude_seen => var('exclude_seen', false)
)
