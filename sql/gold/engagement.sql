-- gold.engagement: one row per hour: how many sessions started, how long they lasted, how many bought.
-- Key: hour_at.
-- Days and hours are those of the shop's time zone (`timezone` in pipelines.yaml; UTC without it). Where clocks are set back,
-- an hour of the day occurs twice, and only `hour_at` tells the two apart: the day has 25 rows.
-- Who comes back in another hour counts in both, so hours do not add up to the users and people of a day: count these in
-- gold.sessions.
with

local_sessions as (
    select
        *,
        started_at at time zone var('timezone', 'UTC') as local_at
    from gold.sessions
),

sessions as (
    select
        *,
        cast(local_at as date) as day,
        cast(extract(hour from local_at) as int) as hour,
        date_trunc('hour', local_at) as hour_at
    from local_sessions
)

select
    ---------- when
    day,
    hour,
    hour_at,                                                 -- the moment when the hour began

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
group by day, hour, hour_at
