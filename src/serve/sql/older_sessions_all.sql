-- Like older_sessions.sql, for a project without gold.sessions.
select distinct session_id from silver.events where event_at < $since
