//! Recommenders of a shop's own, in every command that answers from one: what is popular, and what comes next.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use crate::browser::with_tab;
use crate::own_projects::{followed, popular};
use crate::serving::Server;
use crate::support::Shop;

fn json_of(shop: &Shop, args: &[&str]) -> Value {
    serde_json::from_str(&shop.ok(&[args, &["--json"]].concat())).unwrap()
}

/// One field of each row.
fn all<'a>(rows: &'a Value, field: &str) -> Vec<&'a Value> {
    let rows = rows.as_array().unwrap_or_else(|| panic!("{rows}"));
    rows.iter().map(|row| &row[field]).collect()
}

fn figure(report: &Value, model: &str, seen: bool, metric: &str, k: u64) -> f64 {
    let rows = report["figures"].as_array().unwrap();
    let row = rows.iter().find(|row| {
        row["model"] == model && row["seen"] == seen && row["metric"] == metric && row["k"].as_u64() == Some(k)
    });
    row.unwrap_or_else(|| panic!("no {metric}@{k} of {model}: {report}"))["value"]
        .as_f64()
        .unwrap()
}

fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
}

fn models(report: &Value) -> BTreeSet<&str> {
    let figures = report["figures"].as_array().unwrap();
    figures.iter().map(|row| row["model"].as_str().unwrap()).collect()
}

#[test]
fn what_is_popular_is_a_recommender() {
    let shop = popular();

    let of_items = json_of(&shop, &["recommend", "--items", "a"]);
    assert_eq!(all(&of_items, "item_id"), ["b", "c", "d"], "a was seen");
    assert_eq!(all(&of_items, "score"), [4.0, 3.0, 2.0]);
    let unknown = json_of(&shop, &["recommend", "--items", "z", "-k", "2"]);
    assert_eq!(all(&unknown, "item_id"), ["a", "b"]);

    let of_session = json_of(&shop, &["recommend", "--session", "s7", "--explain"]);
    assert_eq!(all(&of_session, "item_id"), ["a", "b", "c"]);
    let listed = shop.rows("select item_id from gold.recommendations where session_id = 's7' order by rank");
    assert_eq!(listed, ["a", "b", "c"]);
    assert!(
        all(&of_session, "because")
            .iter()
            .all(|because| *because == "popular with everyone"),
        "{of_session}"
    );

    let (code, error) = shop.fails(&["similar", "a"]);
    assert!(code != 0 && error.contains("similar"), "{error}");
}

#[test]
fn a_recommender_without_parts_is_measured() {
    let shop = popular();
    // Learned from s1 to s4; there a and b are in four sessions each, and c in two. Cases: c after a in s5, and the
    // unknown d after a in s6.
    let report = json_of(&shop, &["evaluate", "--test-share", "0.4", "--k", "1,3"]);
    assert_eq!(
        (report["train_sessions"].as_u64(), report["cases"].as_u64()),
        (Some(4), Some(2)),
        "{report}"
    );
    assert_eq!(models(&report), BTreeSet::from(["blend"]));
    close(figure(&report, "blend", true, "HR", 1), 0.0);
    close(figure(&report, "blend", true, "HR", 3), 0.5);
    close(figure(&report, "blend", true, "MRR", 3), 1.0 / 6.0);
    // Without a, c is second.
    close(figure(&report, "blend", false, "MRR", 3), 0.25);
}

#[test]
fn a_recommender_without_parts_is_served() {
    let shop = popular();
    let server = Server::start(&shop, &[]);
    let declared = server.get("/api/v1/recommender").json();
    assert_eq!(declared["recommendations"], "gold.recommendations");
    assert_eq!(declared["requests"], "gold.requests");
    assert_eq!(declared["events"], "silver.events");
    assert_eq!(
        (&declared["description"], &declared["model"], &declared["scores"]),
        (&Value::Null, &Value::Null, &json!([])),
        "{declared}"
    );
    assert_eq!(
        (&declared["similar"], &declared["models"]),
        (&json!(false), &json!(["blend"]))
    );

    let of_session = server.get("/api/v1/sessions/s7/recommendations?explain=true").json();
    assert_eq!(
        all(&of_session["recommendations"], "item_id"),
        ["a", "b", "c"],
        "{of_session}"
    );
    assert_eq!(all(&of_session["recommendations"], "because"), [&json!([]); 3]);
    let visitor = server.post("/api/v1/recommendations", r#"{"items": ["a"]}"#).json();
    assert_eq!(
        all(&visitor["recommendations"], "item_id"),
        ["b", "c", "d"],
        "{visitor}"
    );
    assert_eq!(all(&visitor["recommendations"], "score"), [4.0, 3.0, 2.0]);
    for answer in [&of_session, &visitor] {
        assert_eq!(answer["model"]["version"], Value::Null, "{answer}");
    }
    let similar = server.get("/api/v1/items/a/similar");
    assert_eq!(
        (similar.code, similar.error_code().as_str()),
        (404, "not_declared"),
        "{similar:?}"
    );
    assert_eq!(visitor["only_popular"], false, "nobody can tell: {visitor}");
    assert_eq!(
        server.get("/api/v1/items/popular?limit=1").json()["items"][0]["item_id"],
        "a"
    );
    assert!(server.stop());
}

#[test]
fn a_model_in_sql_is_a_recommender() {
    let shop = followed();

    let of_items = json_of(&shop, &["recommend", "--items", "a", "-k", "3", "--explain"]);
    assert_eq!(all(&of_items, "item_id"), ["b", "p", "c"], "{of_items}");
    assert_eq!(all(&of_items, "follows"), [1.0, 0.0, 0.0]);
    assert_eq!(
        all(&of_items, "because"),
        ["a (100%)", "popular with everyone", "popular with everyone"]
    );
    let of_both = json_of(&shop, &["recommend", "--items", "a,c", "-k", "2", "--explain"]);
    assert_eq!(all(&of_both, "item_id"), ["b", "d"], "{of_both}");
    assert_eq!(all(&of_both, "because"), ["a (100%)", "c (100%)"]);

    let of_session = json_of(&shop, &["recommend", "--session", "new", "-k", "1", "--explain"]);
    assert_eq!(
        (&of_session[0]["item_id"], &of_session[0]["because"]),
        (&json!("d"), &json!("c (100%)"))
    );
    let listed = "select item_id from gold.recommendations where session_id = 'new' and rank = 1";
    assert_eq!(shop.rows(listed), ["d"]);

    let output = shop.run(&["recommend", "--items", "z", "-k", "1", "--json"]);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("no model knows any of the session's items"), "{errors}");
    let popular: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(all(&popular, "item_id"), ["p"]);

    let similar = json_of(&shop, &["similar", "a"]);
    assert_eq!(all(&similar, "item_id"), ["b"], "{similar}");
    assert_eq!(all(&similar, "similarity"), [1.0]);
}

#[test]
fn a_model_in_sql_is_measured_next_to_the_blend() {
    let shop = followed();
    // Learned from p1 to s6: p in eight sessions, the others in three each. One case in each of s7 to s10.
    let report = json_of(&shop, &["evaluate", "--test-share", "0.25", "--k", "1"]);
    assert_eq!(
        (report["train_sessions"].as_u64(), report["cases"].as_u64()),
        (Some(14), Some(4)),
        "{report}"
    );
    assert_eq!(models(&report), BTreeSet::from(["blend", "follows", "popularity"]));
    for seen in [true, false] {
        close(figure(&report, "follows", seen, "HR", 1), 1.0);
        close(figure(&report, "blend", seen, "HR", 1), 1.0);
        close(figure(&report, "popularity", seen, "HR", 1), 0.0);
    }
    let alone = json_of(
        &shop,
        &["evaluate", "--test-share", "0.25", "--k", "1", "--model", "follows"],
    );
    assert_eq!(models(&alone), BTreeSet::from(["follows"]));
    let (code, error) = shop.fails(&["evaluate", "--model", "als"]);
    assert!(
        code == 2 && error.contains("there is no model `als`") && error.contains("follows"),
        "{error}"
    );
}

#[test]
fn a_model_in_sql_is_served_with_its_own_parts() {
    let shop = followed();
    let server = Server::start(&shop, &[]);
    let declared = server.get("/api/v1/recommender").json();
    assert_eq!(
        declared["scores"],
        json!([
            { "column": "follows", "label": "Comes next", "color": "orange", "fallback": false },
            { "column": "popularity", "label": "Popularity", "color": "gray", "fallback": true },
        ])
    );
    assert_eq!(declared["model"]["table"], "gold.followers", "{declared}");
    assert_eq!(declared["similar"], true);
    assert_eq!(declared["models"], json!(["popularity", "follows", "blend"]));

    let visitor = server.post(
        "/api/v1/recommendations",
        r#"{"items": ["a"], "k": 3, "explain": true}"#,
    );
    let visitor = visitor.json();
    let first = &visitor["recommendations"][0];
    assert_eq!(
        (&first["item_id"], &first["follows"]),
        (&json!("b"), &json!(1.0)),
        "{visitor}"
    );
    assert_eq!(first["because"], json!([{ "item_id": "a", "share": 1.0 }]));
    assert_eq!(visitor["recommendations"][1]["because"], json!([]), "{visitor}");
    assert_eq!(visitor["only_popular"], false);
    let unknown = server.post("/api/v1/recommendations", r#"{"items": ["z"]}"#).json();
    assert_eq!(unknown["only_popular"], true, "{unknown}");

    let of_session = server.get("/api/v1/sessions/new/recommendations?k=1").json();
    assert_eq!(all(&of_session["recommendations"], "item_id"), ["d"], "{of_session}");
    let version = shop.number("select max(version) from system.runs where step = 'gold.followers'");
    assert_eq!(of_session["model"]["version"], version, "{of_session}");
    assert!(of_session["model"]["trained_at"].is_string(), "{of_session}");

    let similar = server.get("/api/v1/items/c/similar").json();
    assert_eq!(all(&similar["similar"], "item_id"), ["d"], "{similar}");
    assert!(server.stop());
}

#[test]
fn a_new_version_of_the_declared_table_is_a_new_model() {
    let shop = followed();
    let server = Server::start(&shop, &[]);
    let first = || {
        let answer = server.post("/api/v1/recommendations", r#"{"items": ["p"], "k": 1}"#);
        answer.json()
    };
    let before = first();
    // Nothing follows p so far, so what is popular is shown.
    assert_eq!(before["recommendations"][0]["item_id"], "a", "{before}");
    let event = |at: &str, item: &str| json!({ "timestamp": format!("2025-07-20T10:0{at}:00Z"), "session_id": "later", "item_id": item, "event_type": "view" });
    let lines = format!("{}\n{}\n", event("0", "p"), event("1", "d"));
    fs::write(shop.path("sample_data/2.json"), lines).unwrap();
    shop.ok(&["run"]);
    server.wait("an answer of the new model", || {
        first()["recommendations"][0]["item_id"] == "d"
    });
    assert!(first()["model"]["version"].as_u64() > before["model"]["version"].as_u64());
}

/// Nine new sessions view an item, and a run takes them up.
fn make_popular(shop: &Shop, item: &str) {
    let event = |session: u32| json!({ "timestamp": "2025-07-20T10:00:00Z", "session_id": format!("new{session}"), "item_id": item, "event_type": "view" });
    let lines: String = (0..9).map(|session| format!("{}\n", event(session))).collect();
    fs::write(shop.path("sample_data/2.json"), lines).unwrap();
    shop.ok(&["run"]);
}

#[test]
fn clients_are_told_when_what_is_new_begins_to_count() {
    // It declares no model, so no version of a table says that another one answers.
    let shop = popular();
    let server = Server::start(&shop, &[]);
    let first = || {
        let answer = server.post("/api/v1/recommendations", r#"{"items": ["z"], "k": 1}"#);
        answer.json()["recommendations"][0]["item_id"].clone()
    };
    assert_eq!(first(), "a");
    let mut told = server.commits();
    let before = told.next().unwrap()["answers"].clone();
    make_popular(&shop, "d");
    // Like the page, it asks only after an event that says that answers may differ.
    assert!(
        told.any(|told| told["answers"] != before && first() == "d"),
        "nothing was told after d began to count"
    );
}

#[test]
fn the_page_shows_the_parts_that_a_project_declares() {
    let shop = followed();
    let server = Server::start(&shop, &[]);
    with_tab("the_page_shows_the_parts_that_a_project_declares", async |tab| {
        tab.goto(&format!("http://{}/?range=all&session=new", server.address))
            .await;
        for panel in ["session", "playground", "popular", "model"] {
            tab.wait_for(panel, "ready").await;
        }
        assert_eq!(tab.texts("#session .legend li").await, ["Comes next", "Popularity"]);
        let first = "#session [data-testid=recommendation]:first-child";
        assert_eq!(tab.text(&format!("{first} .item")).await, "d");
        assert_eq!(tab.text(&format!("{first} .because")).await, "because of c (100%)");
        let colors = format!("[...document.querySelectorAll('{first} .segment')].map((e) => e.dataset.color)");
        assert_eq!(tab.value::<Vec<String>>(&colors).await, ["orange", "gray"]);
        tab.click(&format!("{first} .item")).await;
        tab.wait("document.getElementById('similar').open").await;
        tab.picture("own-model.png").await;
        tab
    });
}

#[test]
fn the_page_of_a_project_without_parts_shows_plain_scores() {
    let shop = popular();
    let server = Server::start(&shop, &[]);
    with_tab("the_page_of_a_project_without_parts_shows_plain_scores", async |tab| {
        tab.goto(&format!("http://{}/?range=all&session=s7", server.address))
            .await;
        tab.wait_for("session", "ready").await;
        tab.wait_for("popular", "ready").await;
        tab.wait_for("model", "empty").await;
        assert!(tab.text("#model").await.contains("declares no model"));
        let row = "#session [data-testid=recommendation]";
        assert_eq!(tab.texts(&format!("{row} .item-name")).await, ["a", "b", "c"]);
        assert_eq!(
            tab.texts(&format!("{row} .score-number")).await,
            ["6.00", "4.00", "3.00"]
        );
        // There is nothing to click that would show similar items, and no legend.
        for absent in [
            format!("{row} button"),
            "#popular .panel-content button".to_owned(),
            "#session .legend li".to_owned(),
        ] {
            let count: u64 = tab
                .value(&format!("document.querySelectorAll({absent:?}).length"))
                .await;
            assert_eq!(count, 0, "{absent}");
        }
        tab.picture("own-popularity.png").await;
        // The models follow seconds after the commit, and the page follows them.
        make_popular(&shop, "e");
        tab.wait(&format!("document.querySelector('{row} .item-name').innerText === 'e'"))
            .await;
        tab
    });
}
