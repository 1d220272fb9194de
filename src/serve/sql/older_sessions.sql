-- Sessions that began before $since: not all of their events are among the newest.
select session_id from gold.sessions where started_at < $since
