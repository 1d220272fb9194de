-- gold.item_trends: one row per item of the last two weeks: is it wanted more than before?
-- Key: item_id. `trend` compares the last `trend_days` days with as many days before. The whole shop's traffic is taken
-- out of it: if that doubled, an item whose events doubled has the trend 1; 2 means twice as much as expected.
--
-- Small numbers say little: `trend_floor` events are added to both sides, so a new item with three events does not rank
-- above one that rose from 100 to 200.
with

-- The present, according to the events: the newest day such that a twentieth of a usual day's events, and at least ten (half
-- of all, if there are few), are from that day or later. A few events from a clock that is years ahead have no effect.
newest as (
    select max(day) as day
    from (
        select
            day,
            sum(events) over (order by day desc rows unbounded preceding) as events_since,
            sum(events) over () as all_events,
            avg(events) over () as usual_events
        from (select day, sum(events) as events from gold.item_activity group by day)
    )
    where events_since >= greatest(0.05 * usual_events, least(10, 0.5 * all_events))
),

-- what shows interest: removals and returns do not
activity as (
    select
        activity.item_id,
        activity.views + activity.add_to_carts + activity.purchases as events,
        -- in days; 0 is the newest day
        (extract(epoch from newest.day) - extract(epoch from activity.day)) / 86400.0 as age
    from gold.item_activity as activity
    cross join newest
),

items as (
    select
        item_id,
        coalesce(sum(events) filter (where age < var('trend_days', 7)), 0) as events_now,
        coalesce(sum(events) filter (where age >= var('trend_days', 7)), 0) as events_before
    from activity
    where age < 2 * var('trend_days', 7)
    group by item_id
),

-- what would be now if the item had kept its share of the shop's events; NULL in a shop without a past
expected as (
    select
        *,
        1.0 * events_before * sum(events_now) over () / nullif(sum(events_before) over (), 0) as events_expected
    from items
),

compared as (
    select
        *,
        coalesce(round((events_now + var('trend_floor', 10.0)) / (events_expected + var('trend_floor', 10.0)), 6), 1.0) as trend
    from expected
)

select
    ---------- ids
    item_id,

    ---------- how much it rises (1 is steady), the fastest first
    row_number() over (order by trend desc, events_now desc, item_id) as rank,
    trend,
    events_now,
    events_before,
    events_expected
from compared
