-- gold.touched_sessions (view): one row per session that gained new events, or lost events to another session.
-- Gold's steps recompute these sessions from silver.events, and leave all others as they are.
select distinct unnest(array_append(replaced_session_ids, session_id)) as session_id
from changes('silver.events')
