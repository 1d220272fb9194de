//! The shop's catalog: titles and details in answers, what is out of stock, and projects without one.

use std::fs::{self, OpenOptions};
use std::io::Write;

use serde_json::{Value, json};

use crate::serving::Server;
use crate::support::Shop;

fn json_of(shop: &Shop, args: &[&str]) -> Value {
    serde_json::from_str(&shop.ok(args)).unwrap()
}

/// The details of the first item of a list.
fn first(list: &Value) -> &Value {
    &list[0]["details"]
}

#[test]
fn commands_show_titles_and_details() {
    let shop = Shop::after_a_run();
    let [item, session] = [
        "select item_id from gold.item_popularity where rank = 1",
        "select session_id from gold.recommendations order by session_id limit 1",
    ]
    .map(|sql| shop.rows(sql).remove(0));
    for args in [
        &["recommend", "--session", session.as_str(), "-k", "3"][..],
        &["similar", item.as_str(), "-k", "3"],
    ] {
        let rows = json_of(&shop, &[args, &["--json"]].concat());
        let best = rows[0]["item_id"].as_str().unwrap();
        let sql = format!("select title, category, price from gold.items where item_id = '{best}'");
        let row = &shop.rows(&sql)[0];
        let said: Vec<&str> = row.split(',').collect();
        let details = first(&rows);
        assert_eq!(
            (&details["title"], &details["category"]),
            (&json!(said[0]), &json!(said[1]))
        );
        assert_eq!(details["price"], said[2].parse::<f64>().unwrap());
        assert!(details["image"].as_str().unwrap().starts_with("data:image/svg+xml,"));
        assert!(rows[0].get("title").is_none(), "the details have it: {rows}");
        let table = shop.ok(args);
        assert!(table.contains(" title ") && table.contains(said[0]), "{table}");
    }
    let explained = json_of(
        &shop,
        &["recommend", "--session", &session, "-k", "1", "--explain", "--json"],
    );
    assert!(explained[0]["because"].is_string() && first(&explained)["title"].is_string());
}

#[test]
fn every_answer_of_the_api_has_details_and_follows_the_catalog() {
    let shop = Shop::after_a_run();
    let rows = shop
        .rows("select item_id, title from gold.item_popularity inner join gold.items using (item_id) where rank = 1");
    let (item, title) = rows[0].split_once(',').unwrap();
    let unsold =
        "select item_id from gold.items where item_id not in (select item_id from gold.item_popularity) limit 1";
    let unsold = &shop.rows(unsold)[0];
    let session = &shop.rows("select session_id from gold.session_items order by session_id limit 1")[0];

    let server = Server::start(&shop, &[]);
    assert_eq!(server.get("/api/v1/recommender").json()["items"], "gold.items");
    let path = format!("/api/v1/sessions/{session}/recommendations");
    for (path, key) in [
        (path.as_str(), "recommendations"),
        (format!("/api/v1/items/{item}/similar").as_str(), "similar"),
        ("/api/v1/items/popular", "items"),
        ("/api/v1/items", "items"),
        (format!("/api/v1/sessions/{session}").as_str(), "clicks"),
    ] {
        let answer = server.get(path).json();
        let details = first(&answer[key]);
        assert!(
            details["title"].is_string() && details["price"].is_f64(),
            "{path}: {answer}"
        );
        assert!(details["created"].as_str().unwrap().ends_with('Z'), "{path}: {answer}");
    }
    let visitor = json!({ "items": [item] }).to_string();
    let visitor = server.post("/api/v1/recommendations", &visitor).json();
    assert!(first(&visitor["recommendations"])["title"].is_string(), "{visitor}");

    let one = server.get(&format!("/api/v1/items/{item}")).json();
    assert_eq!((&one["details"]["title"], &one["rank"]), (&json!(title), &json!(1)));
    let other = server.get(&format!("/api/v1/items/{unsold}")).json();
    assert_eq!((&other["views"], &other["rank"]), (&json!(0), &Value::Null));
    assert!(other["details"]["title"].is_string(), "{other}");
    let unknown = server.get("/api/v1/items/nowhere");
    assert_eq!((unknown.code, unknown.error_code().as_str()), (404, "not_found"));

    // Found by its title, whatever the case, or by its ID.
    for text in [title.to_uppercase().replace(' ', "%20"), item.to_owned()] {
        let found = server.get(&format!("/api/v1/items?search={text}&limit=1000")).json();
        let found = found["items"].as_array().unwrap();
        assert!(found.iter().any(|found| found["item_id"] == item), "{text}: {found:?}");
    }

    // A new title is shown without a new model, also in answers that were cached.
    let list = server.get(&path).json();
    let listed = list["recommendations"][0]["item_id"].as_str().unwrap();
    let old = first(&list["recommendations"])["title"].as_str().unwrap();
    shop.edit(
        "sample_data/_catalog/items.csv",
        &format!("\n{listed},{old},"),
        &format!("\n{listed},Renamed,"),
    );
    let mut file = OpenOptions::new()
        .append(true)
        .open(shop.path("sample_data/_catalog/items.csv"))
        .unwrap();
    writeln!(file, ",Nameless,,,,,,").unwrap();
    drop(file);
    shop.ok(&["run", "--select", "gold.items"]);
    server.wait("new title", || {
        first(&server.get(&path).json()["recommendations"])["title"] == "Renamed"
    });
    assert_eq!(server.get(&path).json()["model"], list["model"]);

    let [items, rejected] = shop.numbers([
        "select count(*) from gold.items",
        "select count(*) from system.quarantine where step = 'gold.items'",
    ]);
    assert_eq!((items, rejected), (500, 1), "a row without an item is counted");
    assert!(server.stop());
}

#[test]
fn what_is_out_of_stock_is_not_recommended() {
    let shop = Shop::after_a_run();
    let best = || {
        let rows = json_of(&shop, &["recommend", "--items", "prod_1,prod_21", "-k", "1", "--json"]);
        rows[0]["item_id"].as_str().unwrap().to_owned()
    };
    let before = best();
    let path = shop.path("sample_data/_catalog/items.csv");
    let catalog = fs::read_to_string(&path).unwrap();
    let row = catalog
        .lines()
        .find(|row| row.starts_with(&format!("{before},")))
        .unwrap();
    fs::write(
        &path,
        catalog.replace(row, &row.replace(",in_stock,", ",Out of stock,")),
    )
    .unwrap();
    shop.ok(&["run", "--select", "gold.items"]);
    assert_ne!(best(), before);
    // A price or a stock rebuilds no list of the table.
    let steps = shop.run_steps();
    assert!(steps.iter().all(|step| step["result"] == "up to date"), "{steps:?}");
}

#[test]
fn without_a_catalog_answers_have_ids_alone() {
    let shop = crate::recommender::shop();
    let rows = json_of(&shop, &["recommend", "--items", "prod_1", "-k", "1", "--json"]);
    assert_eq!(rows[0].get("details"), None, "{rows}");
    assert!(!shop.ok(&["similar", "prod_1", "-k", "1"]).contains("title"));
    let server = Server::start(&shop, &[]);
    assert_eq!(server.get("/api/v1/recommender").json()["items"], Value::Null);
    let popular = server.get("/api/v1/items/popular").json();
    assert_eq!(popular["items"][0].get("details"), None, "{popular}");
    let one = server.get("/api/v1/items/prod_1").json();
    assert!(
        one["views"].as_i64().unwrap() > 0 && one.get("details").is_none(),
        "{one}"
    );
    assert_eq!(server.get("/api/v1/items/nowhere").error_code(), "not_found");
}

#[test]
fn a_catalog_that_cannot_be_read_breaks_no_answer() {
    let shop = Shop::after_a_run();
    // It has no column `item_id`.
    shop.edit("pipelines.yaml", "  items: gold.items ", "  items: gold.engagement ");
    let output = shop.run(&["recommend", "--items", "prod_1", "-k", "1", "--json"]);
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.success() && log.contains("cannot read the catalog"),
        "{log}"
    );
    let rows: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(
        rows[0]["item_id"].is_string() && rows[0].get("details").is_none(),
        "{rows}"
    );
    let server = Server::start(&shop, &[]);
    let answer = server
        .post("/api/v1/recommendations", r#"{"items": ["prod_1"]}"#)
        .json();
    assert!(answer["recommendations"][0]["item_id"].is_string(), "{answer}");
    assert!(server.get("/api/v1/items?search=prod_1").json()["items"][0]["item_id"].is_string());
    assert!(server.said().contains("cannot read the catalog"));
}
