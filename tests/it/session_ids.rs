//! What the IDs mean that a shop sends: which session answers if one was cut, IDs that stand for nobody or for everybody,
//! and browsers whose users log in later.

use std::fs;

use serde_json::{Value, json};

use crate::serving::Server;
use crate::sessions::{deliver, event, in_either_order, of};
use crate::support::Shop;

/// A view of an item by a session.
fn view(id: &str, time: &str, session: &str, item: &str) -> String {
    event(id, time, &format!(r#","session_id":"{session}""#))
        .replace(r#""item_id":"a""#, &format!(r#""item_id":"{item}""#))
}

/// Shoppers who look at a, b and c, and `s1`, which came twice and looked at one of them each time.
fn shop() -> Shop {
    let shop = Shop::new();
    let mut lines = vec![];
    for shopper in 0..6 {
        for item in ["a", "b", "c"] {
            lines.push(view(
                &format!("{item}{shopper}"),
                "12:00",
                &format!("other{shopper}"),
                item,
            ));
        }
    }
    lines.push(view("e1", "10:00", "s1", "a"));
    lines.push(view("e2", "11:10", "s1", "b"));
    deliver(&shop, "1.json", &lines);
    shop
}

const SECOND: &str = "s1@2026-03-01T11:10:00.000Z";
const THIRD: &str = "s1@2026-03-01T13:00:00.000Z";

fn path(session: &str) -> String {
    format!("/api/v1/sessions/{}", session.replace('@', "%40").replace(':', "%3A"))
}

/// The session that answers, and the items that it has viewed.
fn clicks(server: &Server, path: &str) -> (String, Vec<String>) {
    let answer = server.get(path).json();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let items = answer["clicks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|click| text(&click["item_id"]));
    (text(&answer["session_id"]), items.collect())
}

#[test]
fn a_shop_that_asks_with_its_own_id_means_the_newest_part() {
    let shop = shop();
    // In memory, and (with hardly any event there) from the lake.
    for recent in ["1000", "1"] {
        let server = Server::start(&shop, &["--recent-events", recent]);
        assert_eq!(
            clicks(&server, &path("s1")),
            (SECOND.to_owned(), vec!["b".to_owned()]),
            "{recent}"
        );
        let exact = clicks(&server, &format!("{}?exact=true", path("s1")));
        assert_eq!(exact, ("s1".to_owned(), vec!["a".to_owned()]), "{recent}");
        let lists = |id: &str, query: &str| server.get(&format!("{}/recommendations?{query}", path(id))).json();
        let answer = lists("s1", "");
        assert_eq!(answer["session_id"], SECOND, "{answer}");
        assert_eq!(answer, lists(SECOND, "exact=true"));
        assert_eq!(answer, lists(SECOND, ""));
        let first = lists("s1", "exact=true");
        assert_eq!(first["session_id"], "s1");
        assert_ne!(answer["recommendations"], first["recommendations"]);
        // A session that was not cut, and none.
        assert_eq!(lists("other1", "")["session_id"], "other1");
        assert_eq!(server.get(&format!("{}/recommendations", path("s"))).code, 404);
    }
    let items = |session: &str| shop.ok(&["recommend", "--session", session, "--json"]);
    assert_eq!(items("s1"), items(SECOND));
    let (code, error) = shop.fails(&["recommend", "--session", "s"]);
    assert!(code != 0 && error.contains("no session `s`"), "{error}");
}

#[test]
fn a_new_part_answers_as_soon_as_it_is_committed_and_a_late_event_changes_nothing() {
    let shop = shop();
    let server = Server::start(&shop, &[]);
    let answer = || server.get(&format!("{}/recommendations", path("s1"))).json();
    assert_eq!(answer()["session_id"], SECOND);
    deliver(&shop, "2.json", &[view("e3", "13:00", "s1", "c")]);
    server.wait("answer of the new part", || answer()["session_id"] == THIRD);
    // What is late belongs to a part of its own, and then joins the first two.
    deliver(
        &shop,
        "3.json",
        &[view("e4", "10:25", "s1", "a"), view("e5", "10:50", "s1", "a")],
    );
    let first = format!("{}?exact=true", path("s1"));
    server.wait("late event", || clicks(&server, &first).1.len() == 4);
    assert_eq!(answer()["session_id"], THIRD);
    assert_eq!(server.get(&path(SECOND)).code, 404, "it has joined the first part");

    let found = server.get("/api/v1/sessions?search=s1").json();
    let found: Vec<&Value> = found["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|found| &found["session_id"])
        .collect();
    assert_eq!(found, [THIRD, "s1"]);
}

#[test]
fn ids_that_stand_for_nobody_count_as_missing_in_either_order() {
    let first = [
        event("e1", "10:00", &of("undefined", "u1")),
        event("e2", "10:01", &of("s3", "null")),
    ];
    let second = [
        event("e3", "10:02", &of("UNDEFINED", "u2")),
        event("e4", "10:03", &of("0", "u1")),
    ];
    let expected = [
        "e1,u1@2026-03-01T10:00:00.000Z",
        "e2,s3",
        "e3,u2@2026-03-01T10:02:00.000Z",
        "e4,u1@2026-03-01T10:00:00.000Z",
    ];
    in_either_order("", &first, &second, &expected);
}

#[test]
fn of_an_id_of_many_users_sessions_with_events_without_a_user_are_left_out_in_either_order() {
    let first = [
        event("e1", "10:00", &of("web", "u1")),
        event("e2", "10:01", &of("web", "u2")),
        event("e3", "10:02", r#","session_id":"web""#),
    ];
    let second = [
        event("e4", "10:03", &of("web", "u3")),
        event("e5", "10:04", &of("s1", "u1")),
    ];
    for (order, [earlier, later]) in [[&first[..], &second[..]], [&second[..], &first[..]]]
        .into_iter()
        .enumerate()
    {
        let shop = Shop::without_recommender();
        shop.edit(
            "pipelines.yaml",
            "\npipelines:",
            "\nvars: { users_per_session_id: 2 }\npipelines:",
        );
        deliver(&shop, "1.json", earlier);
        assert_eq!(shop.number("select count(*) from gold.excluded"), 0, "order {order}");
        deliver(&shop, "2.json", later);
        let queries = [
            "select session_id from gold.sessions order by 1",
            "select reason, sessions, events from gold.excluded",
            "select * from silver.people order by session_id",
        ];
        let found = shop.results(&[], &queries);
        assert_eq!(found[0], ["s1", "web", "web@2026-03-01T10:03:00.000Z"], "order {order}");
        assert_eq!(found[1], ["session id of many users,1,2"], "order {order}");
        shop.assert_equals_a_recomputation();
        assert_eq!(shop.results(&[], &queries), found, "order {order}");
    }
}

/// A call of Segment.
fn call(id: &str, minute: u32, user: Option<&str>, session: Option<u32>) -> String {
    let context = session.map_or_else(|| json!({}), |session| json!({ "sessionId": session }));
    let call = json!({ "type": "track", "event": "Product Viewed", "messageId": id, "anonymousId": "a-1", "userId": user,
        "timestamp": format!("2026-03-01T10:{minute:02}:00Z"), "context": context, "properties": { "product_id": "p" } });
    format!("{call}\n")
}

#[test]
fn a_login_in_calls_of_segment_ends_no_session_and_names_the_browser_in_either_order() {
    let anonymous = call("m1", 0, None, Some(17)) + &call("m2", 40, None, None);
    let login = call("m3", 5, Some("u-9"), Some(17));
    for (order, [earlier, later]) in [[&anonymous, &login], [&login, &anonymous]].into_iter().enumerate() {
        let shop = Shop::in_an_empty_folder();
        fs::create_dir(shop.path("data")).unwrap();
        // All fields are in the sample.
        fs::write(shop.path("data/1.json"), anonymous.clone() + &login).unwrap();
        shop.ok(&["init", ".", "--from", "data"]);
        fs::write(shop.path("data/1.json"), earlier).unwrap();
        shop.ok(&["run", "--select", "bronze.clicks,silver.*"]);
        fs::write(shop.path("data/2.json"), later).unwrap();
        shop.ok(&["run", "--select", "bronze.clicks,silver.*"]);
        let people = "select session_id, events, person_id from silver.people order by 1";
        assert_eq!(shop.rows(people), ["a-1,1,u-9", "a-1/17,2,u-9"], "order {order}");
    }
}
