-- Sessions by the hour or the day in which they started, in the project's time zone. A day begins at midnight, or where
-- clocks skip that, with its first session.
with

buckets as (
    select *, case when $bucket = 'hour' then hour_at end as bucket_at
    from gold.engagement
    where ($from_hour is null or hour_at >= $from_hour) and ($to is null or hour_at < $to)
)

select
    day,
    coalesce(
        bucket_at,
        arrow_cast(try_at_time_zone(day, var('timezone', 'UTC')), 'Timestamp(Microsecond, Some("UTC"))'),
        min(hour_at)
    ) as at,
    sum(sessions) as sessions,
    sum(events) as events,
    sum(views) as views,
    sum(add_to_carts) as add_to_carts,
    sum(purchases) as purchases,
    sum(sessions_with_views) as viewed,
    sum(sessions_with_add_to_carts) as added_to_cart,
    sum(sessions_with_purchases) as purchased,
    sum(mean_duration_s * sessions) / sum(sessions) as mean_duration_s,
    sum(events) * 1.0 / sum(sessions) as mean_events,
    sum(conversion * sessions) / sum(sessions) as conversion
from buckets
group by day, bucket_at
order by at
