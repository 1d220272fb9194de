-- The clicks of a session, newest first.
select event_at, event_type, item_id
from silver.events
where session_id = $session_id
order by event_at desc, event_id desc
limit $limit
