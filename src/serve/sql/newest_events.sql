-- The oldest first: they are forgotten first.
select * from silver.events where $since is null or event_at >= $since order by event_at
