-- Sessions that began before $since: not all of their events are among the newest. Gold may not have counted the last events
-- yet, so sessions with events in the day before $since are included too.
select session_id from gold.sessions where started_at < $since

union

select session_id from silver.events where event_at < $since and event_at >= $since - interval '1 day'
