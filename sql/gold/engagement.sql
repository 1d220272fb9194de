-- gold.engagement: one row per day and hour: how many sessions started, how long they lasted, how many bought.
-- Key: day, hour (UTC).
with

sessions as (
    select
        *,
        cast(started_at as date) as day,
        cast(extract(hour from started_at) as int) as hour
    from gold.sessions
)

select
    ---------- when
    day,
    hour,

    ---------- how many
    count(*) as sessions,
    count(distinct user_id) as users,
    count(distinct person_id) as people,     -- with those that never logged in
    sum(events) as events,
    sum(views) as views,
    sum(add_to_carts) as add_to_carts,
    sum(purchases) as purchases,

    ---------- the funnel: how many sessions did each at least once
    count(*) filter (where views > 0) as sessions_with_views,
    count(*) filter (where add_to_carts > 0) as sessions_with_add_to_carts,
    count(*) filter (where purchases > 0) as sessions_with_purchases,

    ---------- how engaged
    avg(duration_s) as mean_duration_s,
    avg(events) as mean_events,
    avg(case when converted then 1.0 else 0.0 end) as conversion
from sessions
group by day, hour
