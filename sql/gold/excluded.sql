-- gold.excluded: one row per day and reason: how much Gold and the models leave out (silver.excluded_sessions).
-- Key: day, reason (UTC).
select
    ---------- when, and why
    cast(started_at as date) as day,
    reason,

    ---------- how much
    count(*) as sessions,
    sum(events) as events
from silver.excluded_sessions
group by cast(started_at as date), reason
