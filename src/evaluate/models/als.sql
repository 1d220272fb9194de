-- What is near it in taste space.
select session_id, item_id, score from recommend(
    gold.als_factors,
    (select * from gold.requests where item_id is not null),
    user => session_id,
    item => item_id,
    weight => weight,
    k => var('k', 20),
    exclude_seen => var('exclude_seen', false)
)
