-- The clicks of a session, newest first. The query for its events (`session_query` in src/recommender/events.rs) is put in
-- for their name.
select session_id, event_at, event_type, item_id
from session_events as events
order by event_at desc, event_id desc
limit $limit
