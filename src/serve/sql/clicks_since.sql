-- The minute since which there have been about $limit events, or slightly more; NULL if there are fewer in total. Hourly
-- counts show in which hour to look.
with

hours as (
    select max(at) as at
    from (
        select
            hour_at as at,
            sum(events) over (order by hour_at desc rows unbounded preceding) as events
        from gold.engagement
    )
    where events > $limit
),

minutes as (
    select
        date_trunc('minute', event_at) as at,
        count(*) as events
    from silver.events
    where event_at >= (select coalesce(at, to_timestamp_seconds(0)) from hours)
    group by date_trunc('minute', event_at)
)

select arrow_cast(max(at), 'Timestamp(Microsecond, Some("UTC"))') as since
from (
    select at, sum(events) over (order by at desc rows unbounded preceding) as events from minutes
)
where events > $limit
