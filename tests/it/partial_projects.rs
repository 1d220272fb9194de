//! Projects that lack some of the tables that the page shows, or recommendations: what the server and the page say instead.

use serde_json::Value;

use crate::browser::with_tab;
use crate::own_projects::{POPULAR_SESSIONS, click, of_events, of_popularity};
use crate::serving::{Answer, Server};

/// What is read from which table.
const REPORTS: [(&str, &str); 5] = [
    ("/api/v1/sessions", "gold.sessions"),
    ("/api/v1/items", "gold.item_popularity"),
    ("/api/v1/items/popular", "gold.item_activity"),
    ("/api/v1/engagement", "gold.engagement"),
    ("/api/v1/funnel", "gold.engagement"),
];

/// Which panel shows a table.
const PANELS: [(&str, &str); 6] = [
    ("session", "gold.sessions"),
    ("playground", "gold.item_activity"),
    ("popular", "gold.item_activity"),
    ("active-sessions", "gold.sessions"),
    ("engagement", "gold.engagement"),
    ("funnel", "gold.engagement"),
];

/// The message of a 404 that says what the project lacks; it comes with a way out.
fn lacking(answer: &Answer) -> String {
    assert_eq!(
        (answer.code, answer.error_code().as_str()),
        (404, "not_declared"),
        "{answer:?}"
    );
    let error = &answer.json()["error"];
    assert!(
        error["help"]
            .as_str()
            .is_some_and(|help| help.contains("pipelines.yaml")),
        "{error}"
    );
    error["message"].as_str().unwrap().to_owned()
}

#[test]
fn a_report_over_a_table_that_the_project_lacks_names_the_table() {
    let shop = of_events();
    click(&shop, &POPULAR_SESSIONS);
    let server = Server::start(&shop, &[]);
    for (path, table) in REPORTS {
        let message = lacking(&server.get(path));
        assert!(message.contains(&format!("`{table}`")), "{path}: {message}");
    }
    // Reports that have their tables do not depend on those.
    let shop = of_popularity();
    let engagement = "      - { name: gold.engagement, sql: sql/gold/engagement.sql, mode: overwrite }\n";
    shop.edit("pipelines.yaml", engagement, "");
    click(&shop, &POPULAR_SESSIONS);
    let server = Server::start(&shop, &[]);
    lacking(&server.get("/api/v1/engagement"));
    assert_eq!(
        server.get("/api/v1/items/popular?limit=1").json()["items"][0]["item_id"],
        "a"
    );
}

#[test]
fn a_project_without_recommendations_is_served() {
    let shop = of_events();
    click(&shop, &POPULAR_SESSIONS);
    let server = Server::start(&shop, &[]);
    let clicks = server.get("/api/v1/sessions/s5").json();
    let items: Vec<&Value> = clicks["clicks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|click| &click["item_id"])
        .collect();
    assert_eq!(items, ["c", "a"], "newest first");
    for answer in [
        server.get("/api/v1/sessions/s5/recommendations"),
        server.post("/api/v1/recommendations", r#"{"items": ["a"]}"#),
    ] {
        let message = lacking(&answer);
        assert!(message.contains("no step `gold.requests`"), "{message}");
    }
    assert!(lacking(&server.get("/api/v1/items/a/similar")).contains("similar items"));
    let declared = server.get("/api/v1/recommender").json();
    assert_eq!(
        (&declared["model"], &declared["scores"]),
        (&Value::Null, &Value::Array(vec![])),
        "{declared}"
    );
    let model = server.get("/api/v1/model").json();
    assert_eq!(
        (&model["version"], &model["evaluation"]),
        (&Value::Null, &Value::Null),
        "{model}"
    );
    let pipeline = server.get("/api/v1/pipeline").json();
    assert_eq!(pipeline["status"], "ok", "{pipeline}");
    assert!(server.stop());
}

#[test]
fn the_page_says_which_panels_the_project_lacks() {
    let shop = of_events();
    click(&shop, &POPULAR_SESSIONS);
    let server = Server::start(&shop, &[]);
    with_tab("the_page_says_which_panels_the_project_lacks", async |tab| {
        // Without a range in the address: the page cannot know when the last days were.
        tab.goto(&format!("http://{}/", server.address)).await;
        for (panel, table) in PANELS {
            tab.wait_for(panel, "absent").await;
            let said = tab.text(&format!("#{panel} .panel-body")).await;
            assert!(
                said.contains("Not in this project") && said.contains(table),
                "{panel}: {said}"
            );
        }
        tab.wait_for("model", "empty").await;
        tab.wait_for("pipeline", "ready").await;
        tab.wait("document.getElementById('filter-window').innerText.startsWith('all times')")
            .await;
        tab.picture("dashboard-partial.png").await;
        // The clicks of a session are events.
        tab.goto(&format!("http://{}/?session=s5", server.address)).await;
        tab.wait_for("session", "ready").await;
        assert_eq!(tab.texts("#session [data-testid=click]").await.len(), 2);
        let said = tab.text("#session").await;
        assert!(said.contains("gold.requests"), "{said}");
        tab
    });
}
