-- gold.touched_sessions (view): one row per session that new events belong to, or have taken events from.
-- Gold's steps recompute these sessions from silver.events, and leave all others as they are.
with

arrivals as (
    select session_id, replaced_session_ids from changes('silver.events')
)

select session_id from arrivals

union

select unnest(replaced_session_ids) as session_id from arrivals
