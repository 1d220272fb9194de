-- gold.excluded: one row per day and reason: how much Gold and the models leave out (silver.excluded_sessions).
-- Key: day, reason. Days are those of the shop's time zone (`timezone` in pipelines.yaml; UTC without it).
select
    ---------- when, and why
    cast(started_at at time zone var('timezone', 'UTC') as date) as day,
    reason,

    ---------- how much
    count(*) as sessions,
    sum(events) as events
from silver.excluded_sessions
group by day, reason
