-- Oldest first, because the oldest are evicted first.
select * from silver.events where $since is null or event_at >= $since order by event_at
