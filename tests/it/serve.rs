//! The JSON API: its answers, which match the lake and the command line.

use std::fs;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::saved::Saved;
use crate::serving::Server;
use crate::support::Shop;

fn shop() -> Shop {
    static RUN: OnceLock<Saved> = OnceLock::new();
    Shop::after_events(&RUN, 5_000, 7, 0.05)
}

/// The items, best first.
fn items(recommendations: &Value) -> Vec<String> {
    let list = recommendations
        .as_array()
        .unwrap_or_else(|| panic!("{recommendations}"));
    list.iter()
        .map(|item| item["item_id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn sessions_are_recommended_the_same_as_by_the_command_line_and_by_the_table() {
    let shop = shop();
    let server = Server::start(&shop, &[]);
    let sessions = server.get("/api/v1/sessions?limit=5").json();
    for session in sessions["sessions"].as_array().unwrap() {
        let id = session["session_id"].as_str().unwrap();
        let path = format!(
            "/api/v1/sessions/{}/recommendations?k=10",
            id.replace('@', "%40").replace(':', "%3A")
        );
        let answer = server.get(&path).json();
        let said = shop.ok(&["recommend", "--session", id, "-k", "10", "--json"]);
        assert_eq!(
            items(&answer["recommendations"]),
            items(&serde_json::from_str(&said).unwrap()),
            "{id}"
        );
        let sql = format!("select item_id from gold.recommendations where session_id = '{id}' order by rank");
        assert_eq!(items(&answer["recommendations"]), shop.rows(&sql), "{id}");
        assert_eq!(answer["session_id"], *id);
        assert_eq!(answer["only_popular"], false);
        assert!(answer["model"]["trained_at"].is_string(), "{answer}");
        // The second time from the cache.
        assert_eq!(server.get(&path).json(), answer);
    }
    assert!(server.stop());
}

#[test]
fn sessions_that_are_asked_for_together_get_each_its_own_list() {
    let shop = shop();
    let server = Server::start(&shop, &[]);
    let ids = shop.rows("select session_id from gold.sessions order by session_id limit 64");
    let lists: Vec<Vec<String>> = std::thread::scope(|scope| {
        let ask = |id: &String| {
            let path = format!(
                "/api/v1/sessions/{}/recommendations",
                id.replace('@', "%40").replace(':', "%3A")
            );
            let server = &server;
            scope.spawn(move || items(&server.get(&path).json()["recommendations"]))
        };
        let asked: Vec<_> = ids.iter().map(ask).collect();
        asked.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    for (id, list) in ids.iter().zip(lists) {
        let sql = format!("select item_id from gold.recommendations where session_id = '{id}' order by rank");
        assert_eq!(list, shop.rows(&sql), "{id}");
    }
}

#[test]
fn a_click_that_was_just_committed_counts_and_needs_no_training() {
    let shop = shop();
    let server = Server::start(&shop, &[]);
    let item = &shop.rows("select item_id from gold.item_popularity where rank = 1")[0];
    let path = "/api/v1/sessions/newcomer/recommendations?explain=true";
    assert_eq!(server.get(path).code, 404);
    let click = json!({"event_id": "n1", "timestamp": "2025-07-13T12:00:00Z", "session_id": "newcomer", "user_id": "u",
        "item_id": item, "event_type": "view"});
    fs::write(shop.path("sample_data/new.json"), format!("{click}\n")).unwrap();
    shop.ok(&["run", "--select", "bronze.clicks,silver.events"]);
    server.wait("answer for a new session", || server.get(path).code == 200);
    let answer = server.get(path).json();
    assert_eq!(answer["only_popular"], false, "{answer}");
    assert!(!items(&answer["recommendations"]).contains(item), "{answer}");
    let because = &answer["recommendations"][0]["because"][0];
    assert_eq!(because["item_id"], **item, "{answer}");

    // Another click changes the cached answer.
    let other = &shop.rows("select item_id from gold.item_popularity where rank = 40")[0];
    let click = json!({"event_id": "n2", "timestamp": "2025-07-13T12:01:00Z", "session_id": "newcomer", "user_id": "u",
        "item_id": other, "event_type": "purchase"});
    fs::write(shop.path("sample_data/newer.json"), format!("{click}\n")).unwrap();
    shop.ok(&["run", "--select", "bronze.clicks,silver.events"]);
    let committed = Instant::now();
    server.wait("changed answer", || server.get(path).json() != answer);
    // Because of the click: new data alone rebuilds models only after ten seconds.
    assert!(committed.elapsed() < Duration::from_secs(8));
    let clicks = server.get("/api/v1/sessions/newcomer").json();
    assert_eq!(clicks["clicks"][0]["item_id"], **other, "{clicks}");
}

#[test]
fn a_visitor_that_the_lake_does_not_know_is_recommended_for_by_what_it_did() {
    let shop = shop();
    let server = Server::start(&shop, &[]);
    let known = shop.rows("select item_id from gold.item_popularity where rank <= 2 order by rank");
    let answer = server
        .post("/api/v1/recommendations", &json!({"items": known, "k": 5}).to_string())
        .json();
    let said = shop.ok(&["recommend", "--items", &known.join(","), "-k", "5", "--json"]);
    assert_eq!(
        items(&answer["recommendations"]),
        items(&serde_json::from_str(&said).unwrap())
    );
    assert_eq!(answer.get("session_id"), None);

    // A purchase counts more than a view.
    let events = |first: &str| {
        json!({"events": [
        {"item_id": known[0], "event_type": first, "timestamp": "2025-07-13T12:00:00Z"},
        {"item_id": known[1], "event_type": "view", "timestamp": "2025-07-13T12:00:00Z"}]})
    };
    let ask = |first: &str| {
        server
            .post("/api/v1/recommendations", &events(first).to_string())
            .json()
    };
    assert_ne!(ask("purchase")["recommendations"], ask("view")["recommendations"]);

    let unknown = server
        .post(
            "/api/v1/recommendations",
            r#"{"items": ["never seen"], "explain": true}"#,
        )
        .json();
    assert_eq!(unknown["only_popular"], true, "{unknown}");
    assert_eq!(unknown["recommendations"][0]["because"], json!([]), "{unknown}");

    for wrong in [
        "{}",
        r#"{"items": []}"#,
        r#"{"items": ["a"], "k": 0}"#,
        r#"{"items": ["a"], "k": 21}"#,
        r#"{"items": ["a"], "more": 1}"#,
        r#"{"events": [{"item_id": "a", "event_type": "click"}]}"#,
        "not JSON",
        "",
    ] {
        let refused = server.post("/api/v1/recommendations", wrong);
        assert_eq!(
            (refused.code, refused.error_code().as_str()),
            (400, "bad_request"),
            "{wrong}: {refused:?}"
        );
    }
}

#[test]
fn reports_are_what_the_tables_say() {
    let shop = shop();
    let server = Server::start(&shop, &[]);
    let number = |sql: &str| shop.number(sql);

    let popular = server.get("/api/v1/items/popular?event_type=view&limit=3").json();
    let top = shop.rows("select item_id, count(*) as n from silver.events where event_type = 'view' group by item_id order by n desc, item_id limit 3");
    let found: Vec<String> = popular["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| format!("{},{}", item["item_id"].as_str().unwrap(), item["views"]))
        .collect();
    assert_eq!(found, top);
    let day = shop.rows("select max(day) from gold.item_activity")[0].clone();
    let of_day = server
        .get(&format!("/api/v1/items/popular?from={day}T00:00:00Z&limit=1"))
        .json();
    let best = shop.rows(&format!(
        "select count(*) as n from silver.events where event_date = '{day}' group by item_id order by n desc limit 1"
    ));
    let item = &of_day["items"][0];
    let sum: i64 = ["views", "add_to_carts", "purchases"]
        .iter()
        .map(|count| item[*count].as_i64().unwrap())
        .sum();
    assert_eq!(sum.to_string(), best[0]);

    let engagement = server.get("/api/v1/engagement?bucket=hour").json();
    assert_eq!(
        engagement["totals"]["sessions"],
        number("select count(*) from gold.sessions")
    );
    assert_eq!(
        engagement["totals"]["events"],
        number("select count(*) from silver.events")
    );
    let conversion = engagement["totals"]["conversion"].as_f64().unwrap();
    let bought = number("select count(*) from gold.sessions where converted") as f64;
    assert!((conversion - bought / number("select count(*) from gold.sessions") as f64).abs() < 1e-9);

    let funnel = server.get("/api/v1/funnel").json();
    assert_eq!(
        funnel["purchased"],
        number("select count(*) from gold.sessions where purchases > 0")
    );
    assert_eq!(
        funnel["added_to_cart"],
        number("select count(*) from gold.sessions where add_to_carts > 0")
    );

    let sessions = server.get("/api/v1/sessions?event_type=purchase&limit=1").json();
    assert_eq!(
        sessions["sessions"][0]["purchases"],
        number("select max(purchases) from gold.sessions")
    );

    let similar = server
        .get(&format!(
            "/api/v1/items/{}/similar?k=3",
            top[0].split(',').next().unwrap()
        ))
        .json();
    assert_eq!(similar["similar"].as_array().unwrap().len(), 3);
    assert_eq!(server.get("/api/v1/items/never/similar").code, 404);

    let model = server.get("/api/v1/model").json();
    assert_eq!(model["details"]["factors"], 64);
    let pipeline = server.get("/api/v1/pipeline").json();
    assert_eq!(pipeline["status"], "ok", "{pipeline}");
    let waiting = &pipeline["sources"][0];
    assert_eq!(
        (&waiting["source"], &waiting["waiting"]),
        (&json!("clicks"), &json!(0)),
        "{pipeline}"
    );
    let quarantined: i64 = pipeline["quarantine"]
        .as_array()
        .unwrap()
        .iter()
        .map(|reason| reason["records"].as_i64().unwrap())
        .sum();
    assert_eq!(quarantined, number("select count(*) from silver.quarantine"));
    let records = ["records", "accepted", "repeated", "quarantined", "conflicting"];
    assert_eq!(
        records.map(|count| pipeline["records"][count].as_i64().unwrap()),
        shop.records_of_last_run()
    );
    let metrics = server.get("/api/v1/metrics");
    assert!(
        metrics.body.contains("clickrec_serve_recent_events"),
        "{}",
        metrics.body
    );

    for wrong in [
        "/api/v1/sessions?limit=0",
        "/api/v1/sessions?limit=x",
        "/api/v1/engagement?bucket=week",
        "/api/v1/funnel?from=yesterday",
        "/api/v1/items/popular?event_type=click",
    ] {
        assert_eq!(server.get(wrong).code, 400, "{wrong}");
    }
    assert_eq!(server.get("/api/v1/nothing").code, 404);
}

#[test]
fn a_new_model_answers_without_a_pause() {
    let shop = shop();
    let server = Server::start(&shop, &[]);
    let body = json!({"items": shop.rows("select item_id from gold.item_popularity where rank <= 3")}).to_string();
    let version = || server.post("/api/v1/recommendations", &body).json()["model"]["version"].as_u64();
    let before = version();
    let training = shop.start(&["run", "--full-refresh", "--select", "gold.als_factors"]);
    let started = Instant::now();
    let mut asked = 0;
    while version() == before {
        asked += 1;
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "the old model still answers"
        );
    }
    assert!(asked > 10, "only {asked} requests in the meantime");
    assert!(version() > before);
    let mut training = training;
    assert!(training.wait().unwrap().success());
}

#[test]
fn commits_are_told_as_they_land() {
    let shop = shop();
    let server = Server::start(&shop, &[]);
    let mut commits = server.commits();
    assert!(commits.next().unwrap()["tables"]["silver.events"].is_u64());
    shop.produce("more.json", 200, 8, 0.0);
    shop.ok(&["run", "--select", "bronze.clicks,silver.events"]);
    let version = shop.number("select max(version) from system.runs where step = 'silver.events'");
    assert!(commits.any(|told| told["tables"]["silver.events"] == version));
}

#[test]
fn an_empty_lake_says_what_to_run_and_the_first_run_is_noticed() {
    let shop = Shop::new();
    shop.produce("events.json", 2_000, 7, 0.0);
    let server = Server::start_with(&shop, &[], &[]);
    assert_eq!(server.get("/").code, 200);
    for page in [
        "/api/v1/sessions",
        "/api/v1/engagement",
        "/api/v1/items/popular",
        "/api/v1/sessions/s/recommendations",
    ] {
        let answer = server.get(page);
        assert_eq!(
            (answer.code, answer.error_code().as_str()),
            (503, "empty_lake"),
            "{page}: {answer:?}"
        );
        assert_eq!(answer.json()["error"]["help"], "run `clickrec run`");
    }
    assert_eq!(server.get("/api/v1/health").code, 503);
    assert_eq!(server.get("/api/v1/pipeline").json()["sources"][0]["waiting"], 2_000);
    shop.ok(&["run"]);
    server.wait("health", || server.get("/api/v1/health").code == 200);
    assert_eq!(server.get("/api/v1/sessions").code, 200);
}

#[test]
fn a_broken_lake_is_told_without_its_paths() {
    let shop = shop();
    let server = Server::start(&shop, &[]);
    let folder = shop.path("lake/gold/sessions");
    for entry in fs::read_dir(&folder).unwrap().flatten() {
        if entry.path().extension().is_some_and(|extension| extension == "parquet") {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    let answer = server.get("/api/v1/sessions?search=broken");
    assert_eq!(
        (answer.code, answer.error_code().as_str()),
        (500, "internal"),
        "{answer:?}"
    );
    assert!(
        !answer.body.contains("lake/gold") && !answer.body.contains(".parquet"),
        "{answer:?}"
    );
    // Whatever does not need the table still works.
    assert_eq!(server.get("/api/v1/items/popular").code, 200);
    let log = folder.join("_delta_log");
    fs::write(log.join("00000000000000000001.json"), "{torn").unwrap();
    server.wait("trouble", || server.get("/api/v1/health").code == 503);
    let health = server.get("/api/v1/health");
    assert!(!health.body.contains("lake/gold"), "{health:?}");
}
