-- When the newest event happened. Sessions after the newest day from which on there is a hundredth of all events, and no
-- fewer than ten (half of them, where there are few), are those of clocks that are ahead.
with

days as (
    select
        day,
        sum(events) over (order by day desc rows unbounded preceding) as events_since,
        sum(events) over () as all_events
    from (select day, sum(events) as events from gold.engagement group by day)
),

present as (
    select max(day) as day from days where events_since >= greatest(0.01 * all_events, least(10, 0.5 * all_events))
)

select coalesce(
    (select max(ended_at) from gold.sessions cross join present where cast(started_at as date) <= present.day),
    (select max(ended_at) from gold.sessions)
) as newest_at
