-- Different people by the hour or the day in which their sessions started, and in the row without a day, those of the whole
-- range. One person may come in several hours, so people of hours do not add up.
with

local_sessions as (
    select person_id, started_at, started_at at time zone var('timezone', 'UTC') as local_at
    from gold.sessions
),

buckets as (
    select
        person_id,
        cast(local_at as date) as day,
        case when $bucket = 'hour' then date_trunc('hour', local_at) end as at
    from local_sessions
    where
        ($from_hour is null or started_at >= $from_hour)
        and ($to is null or date_trunc('hour', local_at) < $to)
)

select
    day,
    at,
    count(distinct person_id) as people
from buckets
group by grouping sets ((day, at), ())
