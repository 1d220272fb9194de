-- gold.touched_sessions (view): one row per session that gained new events, or lost events to another session, or of which it
-- has become known whose it is.
-- Gold's steps recompute these sessions from silver.events, and leave all others as they are. Those that are left out
-- (silver.excluded_sessions) have no events for them.
with

touched as (
    select unnest(array_append(replaced_session_ids, session_id)) as session_id from changes('silver.events')

    union

    select session_id from changes('silver.people')
)

select
    touched.session_id,
    excluded.session_id is not null as is_excluded
from touched
left join silver.excluded_sessions as excluded on touched.session_id = excluded.session_id
