-- gold.recommendations: the ten items to show a session next, best first by `rank`.
-- Key: session_id (a session with new interactions gets a new list; a new model gives every session a new one).
-- A session that has lost its events to another returns one row with no item, which deletes its old list
-- (pipelines.yaml: `delete: item_id is null`).
--
-- Blends two models: session_knn, which knows the order of clicks, and ALS, which knows taste. Each var('NAME', DEFAULT)
-- can be set from outside: `clickrec recommend -k 20`, `clickrec evaluate --grid als=0,0.1`, `clickrec run --var als=0`.
with

requests as (
    select * from gold.requests where item_id is not null
),

-- The present, according to the events: the newest day such that 1% of all events, and at least ten (half of them, if
-- there are few), are from that day or later. A clock that is years ahead, or one event of today in a backfill, has no effect.
newest as (
    select coalesce(
        (
            select arrow_cast(max(day), 'Timestamp(Microsecond, Some("UTC"))') from (
                select
                    day,
                    sum(events) over (order by day desc rows unbounded preceding) as events_since,
                    sum(events) over () as all_events
                from (select day, sum(events) as events from latest('gold.engagement') group by day)
            )
            where events_since >= greatest(0.01 * all_events, least(10, 0.5 * all_events))
        ),
        (select max(event_at) from silver.events)
    ) as event_at
),

-- what a session did not want after all (gold.session_items) makes no other session similar to it
disliked as (
    select
        session_id,
        item_id
    from gold.session_items
    where weight <= 0.0
),

history as (
    select
        events.session_id,
        events.item_id,
        events.event_at as last_event_at
    from silver.events
    cross join newest
    left anti join disliked on events.session_id = disliked.session_id and events.item_id = disliked.item_id
    where events.event_at > newest.event_at - interval '180 days'
),

wanted as (
    select * from requests where weight > 0.0
),

---------- each model's items; the best item of each list scores 1

alike as (
    select * from session_knn(
        history,
        wanted,
        session => session_id,
        item => item_id,
        at => last_event_at,
        recency => var('recency', 1.0),     -- how much more newer sessions count
        k => 3 * var('k', 10),
        exclude_seen => var('seen', 'hide') = 'hide'
    )
),

liked as (
    select * from recommend(
        gold.als_factors,
        requests,
        user => session_id,
        item => item_id,
        weight => weight,
        k => 3 * var('k', 10),
        exclude_seen => var('seen', 'hide') = 'hide'
    )
),

-- fills lists that are too short, and serves sessions without any known item (to prefer what is on the rise, read
-- latest('gold.item_trends') here)
popular as (
    select
        sessions.session_id,
        items.item_id,
        0.000001 / items.rank as score
    from (select distinct session_id from requests) as sessions
    cross join (select item_id, rank from latest('gold.item_popularity') where rank <= var('k', 10)) as items
),

parts as (
    select session_id, item_id, score / greatest(best, 0.000001) as session_knn, 0.0 as als, 0.0 as popularity, 0 as purchases
    from alike

    union all

    select session_id, item_id, 0.0, score / greatest(best, 0.000001), 0.0, 0 from liked

    union all

    select session_id, item_id, 0.0, 0.0, score, 0 from popular

    union all

    -- items that the session has already interacted with
    select session_id, item_id, null, null, null, purchases from requests
),

---------- the blend

blended as (
    select
        session_id,
        item_id,
        var('session_knn', 1.0) * sum(session_knn) as session_knn,
        var('als', 0.02) * sum(als) as als,
        sum(popularity) as popularity,
        count(*) > count(popularity) as is_seen,
        sum(purchases) > 0 as is_purchased
    from parts
    group by session_id, item_id
),

---------- the shop's rules

rules as (
    select
        item_id,
        min(category) as category,
        bool_and(coalesce(is_shown, true)) as is_shown
    from gold.item_rules
    group by item_id
),

rare as (
    select item_id from latest('gold.item_popularity') where sessions < var('min_sessions', 0)
),

allowed as (
    select
        blended.session_id,
        blended.item_id,
        blended.session_knn + blended.als + blended.popularity as score,
        blended.session_knn,
        blended.als,
        blended.popularity,
        rules.category
    from blended
    left join rules on blended.item_id = rules.item_id
    left anti join rare on blended.item_id = rare.item_id
    where
        blended.popularity is not null
        -- items that the session has already interacted with: 'hide', 'hide_purchased' or 'show'
        and case var('seen', 'hide') when 'show' then true when 'hide_purchased' then not is_purchased else not is_seen end
        and coalesce(rules.is_shown, true)
),

-- (in one query: a `union` of items with and without a category would run the models twice)
diverse as (
    select * except (rank_in_category) from (
        select
            *,
            row_number() over (partition by session_id, category order by score desc, item_id) as rank_in_category
        from allowed
    )
    where category is null or rank_in_category <= var('max_per_category', 10)
),

ranked as (
    select
        *,
        row_number() over (partition by session_id order by score desc, item_id) as rank
    from diverse
)

select
    ---------- IDs
    sessions.session_id,
    ranked.item_id,

    ---------- how well it fits, and what each model adds to the score
    ranked.rank,
    ranked.score,
    ranked.session_knn,
    ranked.als,
    ranked.popularity
from (select distinct session_id from gold.requests) as sessions
left join ranked on sessions.session_id = ranked.session_id and ranked.rank <= var('k', 10)
