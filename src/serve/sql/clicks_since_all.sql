-- Like clicks_since.sql, for a project without hourly counts (gold.engagement).
with

minutes as (
    select
        date_trunc('minute', event_at) as at,
        count(*) as events
    from silver.events
    group by date_trunc('minute', event_at)
)

select arrow_cast(max(at), 'Timestamp(Microsecond, Some("UTC"))') as since
from (
    select at, sum(events) over (order by at desc rows unbounded preceding) as events from minutes
)
where events > $limit
