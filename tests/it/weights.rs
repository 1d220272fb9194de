//! What events say about interest, from the record to the list: removals, returns, a type of the shop's own, items that
//! fade and items that rise.

use std::fs;

use serde_json::json;

use crate::serving::Server;
use crate::support::Shop;

/// A line of the source.
fn event(at: &str, session: &str, item: &str, event_type: &str) -> String {
    let event = json!({"timestamp": at, "session_id": session, "item_id": item, "event_type": event_type});
    format!("{event}\n")
}

/// Five sessions that clicked `a`, `b` and `c`, three that clicked `x` and `y`, and one that took `b` out of its cart.
fn history() -> String {
    let clicks = |session: &str, items: &[&str]| -> String {
        let of_items = items.iter().enumerate();
        of_items
            .map(|(place, item)| event(&format!("2026-03-01T09:0{place}:00Z"), session, item, "view"))
            .collect()
    };
    let others = (0..5).map(|n| clicks(&format!("abc{n}"), &["a", "b", "c"]));
    let more = (0..3).map(|n| clicks(&format!("xy{n}"), &["x", "y"]));
    let own = [
        event("2026-03-01T10:30:00Z", "s1", "b", "add_to_cart"),
        event("2026-03-01T11:00:00Z", "s1", "b", "remove_from_cart"),
        event("2026-03-01T11:00:00Z", "s1", "a", "view"),
        event("2026-03-01T12:30:00Z", "s2", "b", "add_to_cart"),
        event("2026-03-01T13:00:00Z", "s2", "b", "remove_from_cart"),
        event("2026-03-01T12:00:00Z", "s3", "a", "refund"),
        event("2026-03-01T12:00:00Z", "s4", "x", "wishlist"),
    ];
    others.chain(more).chain(own).collect()
}

#[test]
fn a_removal_is_a_dislike_from_the_record_to_the_list() {
    let shop = Shop::new();
    fs::write(shop.path("sample_data/clicks.json"), history()).unwrap();
    shop.ok(&["run"]);
    let weights = "select session_id, item_id, weight from gold.session_items where weight <= 0 order by 1, 2";
    let unknown = "select detail from silver.quarantine order by 1";
    let lists = "select item_id from gold.recommendations where session_id = 's1' order by rank";
    let found = shop.results(&[], &[weights, unknown, lists]);
    // Half of the interest of half an hour ago has faded, the removal has not.
    assert_eq!(found[0], ["s1,b,-1.5", "s2,b,-1.5"]);
    assert_eq!(found[1], ["refund", "wishlist"]);
    // Its own items are seen; `c` is what others clicked with `a`.
    assert_eq!(found[2][0], "c");
    assert!(!found[2].contains(&"a".to_owned()) && !found[2].contains(&"b".to_owned()));

    // A session that likes nothing gets what is popular with everyone.
    let of_s2 = "select count(*) from gold.recommendations where session_id = 's2' and (session_knn <> 0 or als <> 0)";
    assert_eq!(shop.number(of_s2), 0);
    let server = Server::start(&shop, &[]);
    let removed = json!({"events": [{"item_id": "a", "event_type": "remove_from_cart"}]}).to_string();
    let answer = server.post("/api/v1/recommendations", &removed).json();
    assert_eq!(answer["only_popular"], true, "{answer}");
}

#[test]
fn a_type_of_events_is_added_in_one_place() {
    let shop = Shop::new();
    fs::write(shop.path("sample_data/clicks.json"), history()).unwrap();
    shop.ok(&["run"]);
    shop.edit(
        "sql/silver/clicks.sql",
        "'remove_from_cart', 'purchase')",
        "'remove_from_cart', 'purchase', 'refund', 'wishlist')",
    );
    shop.ok(&["run"]);
    let weights =
        "select session_id, item_id, weight from gold.session_items where session_id in ('s3', 's4') order by 1";
    let counted = "select session_id, events from gold.sessions where session_id in ('s3', 's4') order by 1";
    let popular = "select sessions, popularity from gold.item_popularity where item_id = 'x'";
    let found = shop.results(&[], &[weights, counted, popular]);
    // A refund has a weight; the shop's own type has none yet, so it says nothing about interest.
    assert_eq!(found[0], ["s3,a,-5.0", "s4,x,0.0"]);
    assert_eq!(found[1], ["s3,1", "s4,1"]);
    assert_eq!(found[2], ["4,3.0"]);
    shop.edit(
        "sql/gold/session_items.sql",
        "when 'refund' then -5.0",
        "when 'refund' then -5.0\n            when 'wishlist' then 2.0",
    );
    shop.ok(&["run"]);
    assert_eq!(shop.rows(weights), ["s3,a,-5.0", "s4,x,2.0"]);
}

/// Four weeks, a session per item and day: `old` is clicked daily in the first two of them, `steady` in all, `new` in
/// the last, three times as often.
fn weeks() -> String {
    let mut lines = String::new();
    for day in 1..=28 {
        let at = format!("2026-02-{day:02}T10:00:00Z");
        let mut click = |item: &str, times: u32| {
            for n in 0..times {
                lines.push_str(&event(&at, &format!("{item}-{day}-{n}"), item, "view"));
            }
        };
        click("steady", 3);
        if day <= 14 {
            click("old", 6);
        }
        if day > 21 {
            click("new", 9);
        }
    }
    lines
}

#[test]
fn old_items_fade_and_new_ones_rise() {
    let shop = Shop::new();
    fs::write(shop.path("sample_data/clicks.json"), weeks()).unwrap();
    shop.ok(&["run", "--var", "popularity_half_life=7"]);
    let ranked = "select item_id, sessions from gold.item_popularity order by rank";
    let trends = "select item_id, events_now, events_before from gold.item_trends order by rank";
    let rises = "select item_id, trend > 1 from gold.item_trends order by rank";
    let found = shop.results(&[], &[ranked, trends, rises]);
    assert_eq!(found[0], ["new,63", "steady,84", "old,84"]);
    assert_eq!(found[1], ["new,63,0", "steady,21,21"], "old is not of these two weeks");
    // The shop's events have become four times as many, and those of `steady` have not.
    assert_eq!(found[2], ["new,true", "steady,false"]);

    shop.ok(&["run", "--var", "popularity_half_life=0"]);
    assert_eq!(shop.rows(ranked), ["old,84", "steady,84", "new,63"]);

    let server = Server::start(&shop, &[]);
    let popular = server.get("/api/v1/items/popular?limit=3").json();
    let first = popular["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["item_id"] == "new");
    assert!(first.unwrap()["trend"].as_f64().unwrap() > 1.5, "{popular}");

    // Lists that are filled with what rises.
    shop.edit(
        "sql/gold/recommendations.sql",
        "rank from latest('gold.item_popularity')",
        "rank from latest('gold.item_trends')",
    );
    shop.ok(&["run"]);
    let lists: serde_json::Value =
        serde_json::from_str(&shop.ok(&["recommend", "--items", "unknown", "--json"])).unwrap();
    let items: Vec<&str> = lists
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|row| row["item_id"].as_str())
        .collect();
    assert_eq!(items, ["new", "steady"]);
}
