-- When the newest event happened. Ignores sessions that started after the newest day since which at least 1% of all
-- events, and at least ten (half of them, if there are few), occurred: their clocks are ahead.
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
    (select max(ended_at) from gold.sessions cross join present where cast(started_at at time zone var('timezone', 'UTC') as date) <= present.day),
    (select max(ended_at) from gold.sessions)
) as newest_at
