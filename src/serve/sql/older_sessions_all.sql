-- As older_sessions.sql, in a project without gold.sessions.
select distinct session_id from silver.events where event_at < $since
