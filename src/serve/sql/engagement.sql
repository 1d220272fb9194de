-- Sessions by the hour or the day in which they started.
with

hours as (
    select
        *,
        arrow_cast(
            to_timestamp_seconds(cast(extract(epoch from day) as bigint) + 3600 * hour), 'Timestamp(Microsecond, Some("UTC"))'
        ) as hour_at
    from gold.engagement
),

points as (
    select *, date_trunc($bucket, hour_at) as at
    from hours
    where ($from is null or hour_at >= date_trunc('hour', $from)) and ($to is null or hour_at < $to)
)

select
    at,
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
from points
group by at
order by at
