//! `clickrec docs`: the manual of a project, as a page, as Markdown and as data.

use std::fs;

use serde_json::Value;

use super::support::Shop;

fn table<'a>(manual: &'a Value, name: &str) -> &'a Value {
    let mut tables = manual["tables"].as_array().unwrap().iter();
    tables
        .find(|table| table["name"] == name)
        .unwrap_or_else(|| panic!("no {name}"))
}

fn column<'a>(table: &'a Value, name: &str) -> &'a Value {
    let mut columns = table["columns"].as_array().unwrap().iter();
    columns
        .find(|column| column["name"] == name)
        .unwrap_or_else(|| panic!("no {name}"))
}

fn origins(origins: &Value) -> Vec<String> {
    let origins = origins.as_array().unwrap().iter();
    origins
        .map(|origin| {
            format!(
                "{}.{}",
                origin["table"].as_str().unwrap(),
                origin["column"].as_str().unwrap()
            )
        })
        .collect()
}

#[test]
fn columns_are_followed_to_the_tables_that_they_come_from() {
    let shop = Shop::new();
    let manual: Value = serde_json::from_str(&shop.ok(&["docs", "--json"])).unwrap();
    let sessions = table(&manual, "gold.sessions");
    assert_eq!(
        origins(&column(sessions, "duration_s")["from"]),
        ["silver.events.event_at"]
    );
    assert_eq!(
        origins(&column(sessions, "converted")["from"]),
        ["silver.events.event_id"]
    );
    let predicates = origins(&sessions["predicates"]);
    assert_eq!(
        predicates,
        [
            "gold.touched_sessions.session_id",
            "silver.events.event_type",
            "silver.events.item_id",
            "silver.events.session_id"
        ]
    );
    let weight = origins(&column(table(&manual, "gold.session_items"), "weight")["from"]);
    assert_eq!(weight, ["silver.events.event_at", "silver.events.event_type"]);
    let touched = origins(&column(table(&manual, "gold.touched_sessions"), "session_id")["from"]);
    assert_eq!(
        touched,
        ["silver.events.replaced_session_ids", "silver.events.session_id"]
    );
    let clicks = table(&manual, "silver.clicks");
    assert_eq!(origins(&column(clicks, "item_id")["from"]), ["bronze.clicks.value"]);
    assert!(
        !table(&manual, "gold.als_factors")["tests"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        column(table(&manual, "gold.item_rules"), "is_shown")["description"],
        "false: never shown"
    );
}

#[test]
fn the_page_needs_nothing_else_and_escapes_what_sql_says() {
    let shop = Shop::new();
    shop.edit(
        "sql/gold/engagement.sql",
        "-- Key: hour_at.",
        "-- Key: hour_at. <script>alert(1)</script>",
    );
    shop.ok(&["docs", "--out", "docs.html"]);
    let page = fs::read_to_string(shop.path("docs.html")).unwrap();
    assert!(page.contains("&lt;script&gt;alert(1)"), "the header is shown");
    assert!(!page.contains("<script>alert"), "as text");
    for outside in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!page.contains(outside), "the page reads {outside}");
    }
    let ids: Vec<&str> = page
        .split(" id=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    for link in page.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(ids.contains(&link), "nothing is at #{link}");
    }
}

/// The text between two others, where they come first.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before}"));
    rest.split_once(after).unwrap_or_else(|| panic!("no {after}")).0
}

#[test]
fn the_graph_fits_a_page_and_comments_are_shown_as_they_are_meant() {
    let shop = Shop::new();
    shop.edit(
        "sql/gold/engagement.sql",
        "-- Key: hour_at.",
        "-- Key: `hour_at`, `hour < 24` (local).",
    );
    let page = shop.ok(&["docs"]);
    let width: usize = between(between(&page, "<svg class=\"graph\"", ">"), " width=\"", "\"")
        .parse()
        .unwrap();
    assert!((400..=1_200).contains(&width), "{width}");
    let engagement = between(&page, "<section id=\"gold.engagement\">", "</section>");
    assert!(
        engagement.contains("<code>hour_at</code>, <code>hour &lt; 24</code> (local)"),
        "{engagement}"
    );
    assert!(
        engagement.contains("<td class=\"missing\">not described</td>"),
        "{engagement}"
    );
    assert!(
        page.contains("columns") && page.contains("Without a description: "),
        "{page}"
    );
    let source = between(&page, "<section id=\"clicks\">", "</section>");
    assert!(!source.contains("not described"), "{source}");
    let text = shop.ok(&["docs", "--markdown"]);
    assert!(
        text.contains("`hour < 24` (local)") && text.contains("*not described*"),
        "{text}"
    );
}

#[test]
fn descriptions_of_pipelines_yaml_win_and_have_to_fit() {
    let shop = Shop::new();
    let described = |columns: &str| {
        format!("sql: sql/gold/engagement.sql, description: How the shop does, columns: {{ {columns} }}, mode")
    };
    shop.edit(
        "pipelines.yaml",
        "sql: sql/gold/engagement.sql, mode",
        &described("conversion: Share of sessions that bought"),
    );
    let text = shop.ok(&["docs", "--markdown"]);
    assert!(text.contains("How the shop does"), "{text}");
    assert!(text.contains("how engaged: Share of sessions that bought"), "{text}");
    shop.edit("pipelines.yaml", "{ conversion:", "{ converted:");
    let (code, error) = shop.fails(&["docs"]);
    assert_eq!(code, 2, "{error}");
    assert!(
        error.contains("the described column `converted` of `gold.engagement` is not in the result"),
        "{error}"
    );
}
