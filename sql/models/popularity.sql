-- popularity: the items that the most sessions were interested in lately, the same for everyone.
-- `clickrec evaluate` measures this part of the blend on its own (pipelines.yaml: `recommender`).
select
    sessions.session_id,
    items.item_id,
    items.score
from (select distinct session_id from gold.requests where item_id is not null) as sessions
cross join (select item_id, popularity as score from gold.item_popularity where rank <= var('k', 20) + 200) as items
left join gold.requests as seen on sessions.session_id = seen.session_id and items.item_id = seen.item_id
where not var('exclude_seen', false) or seen.item_id is null
