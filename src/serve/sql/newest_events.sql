select * from silver.events where $since is null or event_at >= $since
