//! Whole projects with a recommender of a shop's own: one that only knows what is popular, and one with a model in SQL
//! alone. Neither has ALS, neighbors, or a table that describes a model. A third project has events and no recommender.

use std::fs;
use std::sync::OnceLock;

use serde_json::json;

use crate::saved::Saved;
use crate::support::Shop;

/// The steps that both recommenders take over from the shipped project.
const STEPS: &str = "\
lake: ./lake

sources:
  clicks:
    files: { path: sample_data, format: ndjson }

pipelines:
  clickstream:
    steps:
      - { name: bronze.clicks, sql: sql/bronze/clicks.sql, mode: append }
      - { name: silver.clicks, sql: sql/silver/clicks.sql, mode: view }
      - { name: silver.events, sql: sql/silver/events.sql, mode: merge, key: [event_id, event_date] }
      - { name: silver.people, sql: sql/silver/people.sql, mode: merge, key: [session_id], delete: events = 0 }
      - { name: silver.excluded_sessions, sql: sql/silver/excluded_sessions.sql, mode: view }
      - { name: gold.touched_sessions, sql: sql/gold/touched_sessions.sql, mode: view }
      - { name: gold.sessions, sql: sql/gold/sessions.sql, mode: merge, key: [session_id], delete: events = 0 }
      - { name: gold.session_items, sql: sql/gold/session_items.sql, mode: merge, key: [session_id], delete: item_id is null }
      - { name: gold.item_activity, sql: sql/gold/item_activity.sql, mode: merge, key: [day], delete: item_id is null }
      - { name: gold.item_popularity, sql: sql/gold/item_popularity.sql, mode: overwrite }
      - { name: gold.engagement, sql: sql/gold/engagement.sql, mode: overwrite }
      - { name: gold.requests, sql: sql/gold/requests.sql, mode: view }
      - { name: gold.recommendations, sql: sql/gold/recommendations.sql, mode: merge, key: [session_id] }
";

/// In how many sessions an item is, and nothing else.
const POPULAR: &str = "\
with

ranked as (
    select
        sessions.session_id,
        items.item_id,
        row_number() over (partition by sessions.session_id order by items.sessions desc, items.item_id) as rank,
        cast(items.sessions as double) as score
    from (select distinct session_id from gold.requests where item_id is not null) as sessions
    cross join (select item_id, sessions from latest('gold.item_popularity')) as items
    left join gold.requests as seen on sessions.session_id = seen.session_id and items.item_id = seen.item_id
    where var('seen', 'hide') = 'show' or seen.item_id is null
)

select * from ranked where rank <= var('k', 10)
";

/// Which item came next in a session, and the share of all that came next.
const FOLLOWERS: &str = "\
with

clicks as (
    select
        item_id,
        lead(item_id) over (partition by session_id order by event_at, event_id) as next_item
    from silver.events
),

pairs as (
    select item_id, next_item, count(*) as times
    from clicks
    where next_item is not null
    group by item_id, next_item
)

select
    item_id,
    next_item,
    times,
    cast(times as double) / sum(times) over (partition by item_id) as share
from pairs
";

/// What follows the session's items, and then what is popular.
const BLEND: &str = "\
with

requests as (
    select session_id, item_id from gold.requests where item_id is not null
),

parts as (
    select requests.session_id, followers.next_item as item_id, followers.share as follows, 0.0 as popularity
    from requests
    inner join gold.followers as followers on requests.item_id = followers.item_id

    union all

    select sessions.session_id, items.item_id, 0.0, 0.000001 / items.rank
    from (select distinct session_id from requests) as sessions
    cross join (select item_id, rank from latest('gold.item_popularity')) as items
),

scored as (
    select session_id, item_id, sum(follows) as follows, sum(popularity) as popularity
    from parts
    group by session_id, item_id
),

ranked as (
    select
        scored.session_id,
        scored.item_id,
        row_number() over (
            partition by scored.session_id order by scored.follows + scored.popularity desc, scored.item_id
        ) as rank,
        scored.follows + scored.popularity as score,
        scored.follows,
        scored.popularity
    from scored
    left join requests as seen on scored.session_id = seen.session_id and scored.item_id = seen.item_id
    where var('seen', 'hide') = 'show' or seen.item_id is null
)

select * from ranked where rank <= var('k', 10)
";

/// The two parts of the blend as models that `evaluate` measures.
const FOLLOWS_ALONE: &str = "\
select requests.session_id, followers.next_item as item_id, max(followers.share) as score
from gold.requests as requests
inner join gold.followers as followers on requests.item_id = followers.item_id
left join gold.requests as seen on requests.session_id = seen.session_id and followers.next_item = seen.item_id
where not var('exclude_seen', false) or seen.item_id is null
group by requests.session_id, followers.next_item
";
const POPULARITY_ALONE: &str = "\
select sessions.session_id, items.item_id, cast(items.sessions as double) as score
from (select distinct session_id from gold.requests where item_id is not null) as sessions
cross join gold.item_popularity as items
left join gold.requests as seen on sessions.session_id = seen.session_id and items.item_id = seen.item_id
where not var('exclude_seen', false) or seen.item_id is null
";
const SIMILAR: &str = "\
select similar_item_id, rank, similarity from (
    select
        next_item as similar_item_id,
        row_number() over (order by share desc, next_item) as rank,
        share as similarity
    from gold.followers
    where item_id = var('item', '')
)
where rank <= var('k', 10)
";

const DECLARED: &str = "
recommender:
  stale_after: [gold.followers]
  similar: sql/models/similar.sql
  scores:
    - { column: follows, label: Comes next, color: orange, model: sql/models/follows.sql }
    - { column: popularity, label: Popularity, color: gray, fallback: true, model: sql/models/popularity.sql }
";

/// A project with these steps, declarations and recommendations, and no other file of the shipped recommender.
fn shop(project: &str, recommendations: &str) -> Shop {
    let shop = Shop::new();
    for file in ["als_factors", "model", "item_rules"] {
        fs::remove_file(shop.path(&format!("sql/gold/{file}.sql"))).unwrap();
    }
    // Some versions of the shipped project have no such folder.
    _ = fs::remove_dir_all(shop.path("sql/models"));
    fs::write(shop.path("pipelines.yaml"), project).unwrap();
    fs::write(shop.path("sql/gold/recommendations.sql"), recommendations).unwrap();
    shop
}

/// A project that ends with the table of events.
pub fn of_events() -> Shop {
    let shop = Shop::new();
    let (steps, _) = STEPS.split_once("      - { name: gold.").unwrap();
    fs::write(shop.path("pipelines.yaml"), steps).unwrap();
    shop
}

/// A project that recommends what is popular.
pub fn of_popularity() -> Shop {
    shop(&format!("{STEPS}\nrecommender: {{}}\n"), POPULAR)
}

/// A project that recommends what comes next, by SQL of its own.
pub fn of_followers() -> Shop {
    let step = "      - { name: gold.followers, sql: sql/gold/followers.sql, mode: overwrite }\n";
    let shop = shop(&format!("{STEPS}{step}{DECLARED}"), BLEND);
    fs::create_dir(shop.path("sql/models")).unwrap();
    for (file, sql) in [
        ("sql/gold/followers.sql", FOLLOWERS),
        ("sql/models/follows.sql", FOLLOWS_ALONE),
        ("sql/models/popularity.sql", POPULARITY_ALONE),
        ("sql/models/similar.sql", SIMILAR),
    ] {
        fs::write(shop.path(file), sql).unwrap();
    }
    shop
}

/// One session a day, with one view a minute, taken up by a run.
pub fn click(shop: &Shop, sessions: &[(&str, &str)]) {
    let mut lines = String::new();
    for (day, (session, items)) in sessions.iter().enumerate() {
        for (minute, item) in items.split(' ').enumerate() {
            let at = format!("2025-07-{:02}T10:{minute:02}:00Z", day + 1);
            let event = json!({ "timestamp": at, "session_id": session, "item_id": item, "event_type": "view" });
            lines += &format!("{event}\n");
        }
    }
    fs::write(shop.path("sample_data/1.json"), lines).unwrap();
    shop.ok(&["run"]);
}

/// The project of what is popular, after [`POPULAR_SESSIONS`].
pub fn popular() -> Shop {
    static RUN: OnceLock<Saved> = OnceLock::new();
    Shop::once(&RUN, || {
        let shop = of_popularity();
        click(&shop, &POPULAR_SESSIONS);
        shop
    })
}

/// The project of what comes next, after [`FOLLOWED_SESSIONS`].
pub fn followed() -> Shop {
    static RUN: OnceLock<Saved> = OnceLock::new();
    Shop::once(&RUN, || {
        let shop = of_followers();
        click(&shop, &FOLLOWED_SESSIONS);
        shop
    })
}

/// In sessions: a in six, b in four, c in three, d in two.
pub const POPULAR_SESSIONS: [(&str, &str); 7] = [
    ("s1", "a b"),
    ("s2", "a b"),
    ("s3", "a b c"),
    ("s4", "a b c"),
    ("s5", "a c"),
    ("s6", "a d"),
    ("s7", "d"),
];

/// Every session that sees a sees b next, and every session that sees c sees d next; most sessions see only p. The last
/// session is still going on.
const FOLLOWED_SESSIONS: [(&str, &str); 19] = [
    ("p1", "p"),
    ("p2", "p"),
    ("p3", "p"),
    ("p4", "p"),
    ("p5", "p"),
    ("p6", "p"),
    ("p7", "p"),
    ("p8", "p"),
    ("s1", "a b"),
    ("s2", "c d"),
    ("s3", "a b"),
    ("s4", "c d"),
    ("s5", "a b"),
    ("s6", "c d"),
    ("s7", "a b"),
    ("s8", "c d"),
    ("s9", "a b"),
    ("s10", "a b"),
    ("new", "c"),
];
