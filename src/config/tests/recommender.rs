//! `recommender:`: what it says, its defaults, and every mistake at its line.

use super::{error, load};
use crate::config::{Color, RecommenderConfig};

/// A shop with the names of the defaults; `a.sql` is its only file.
const SHOP: &str = r#"
lake: ./lake
recommender:
  # here
pipelines:
  clickstream:
    steps:
      - { name: silver.events, sql: a.sql, mode: append }
      - { name: gold.model, sql: a.sql, mode: overwrite }
      - { name: gold.requests, sql: a.sql, mode: view }
      - { name: gold.recommendations, sql: a.sql, mode: merge, key: [a] }
"#;

fn with(keys: &str) -> String {
    SHOP.replace("  # here\n", &format!("{keys}\n"))
}

#[test]
fn without_the_key_names_have_defaults_and_need_not_exist() {
    let shop = SHOP.replace("recommender:\n  # here\n", "");
    assert_eq!(
        load(&shop, None, &[]).unwrap().recommender,
        RecommenderConfig::default()
    );
    let other = shop
        .replace("gold.recommendations", "gold.other")
        .replace("silver.events", "silver.prices");
    let names = load(&other, None, &[]).unwrap().recommender;
    assert_eq!(names.recommendations.to_string(), "gold.recommendations");
    assert_eq!(names.events.to_string(), "silver.events");
    assert!(names.scores.is_empty() && names.compared().is_empty() && names.items.is_none());
}

#[test]
fn all_keys_are_read() {
    let keys = r#"  events: silver.events
  items: gold.model
  requests: gold.requests
  recommendations: gold.recommendations
  description: gold.model
  stale_after: [gold.model, silver.events]
  similar: a.sql
  scores:
    - { column: mine, label: "My model", model: a.sql }
    - { column: yours, color: blue }
    - { column: popular, fallback: true, model: a.sql }
  models:
    second: a.sql
    first: a.sql"#;
    let recommender = load(&with(keys), None, &[]).unwrap().recommender;
    assert_eq!(recommender.description.as_ref().unwrap().to_string(), "gold.model");
    assert_eq!(recommender.items.as_ref().unwrap().to_string(), "gold.model");
    let stale: Vec<String> = recommender.stale_after.iter().map(ToString::to_string).collect();
    assert_eq!(stale, ["gold.model", "silver.events"]);
    assert_eq!(recommender.similar.as_ref().unwrap().sql, "select 1 as a");
    let scores: Vec<_> = recommender
        .scores
        .iter()
        .map(|score| (score.label.as_str(), score.color, score.is_fallback, score.at))
        .collect();
    let expected = [
        ("My model", Color::Green, false, (12, 17)),
        ("yours", Color::Blue, false, (13, 17)),
        ("popular", Color::Orange, true, (14, 17)),
    ];
    assert_eq!(scores, expected, "colors are the first ones that are free");
    let compared: Vec<&str> = recommender.compared().into_iter().map(|(name, _)| name).collect();
    assert_eq!(compared, ["popular", "second", "first", "mine"]);
    assert_eq!(recommender.files().count(), 5);
}

#[test]
fn every_kind_of_mistake_is_found_at_its_line() {
    for (keys, expected) in [
        (
            "  events: silver.evnts",
            "4:11: `events`: no step writes or reads `silver.evnts`\n  help: did you mean `silver.events`?",
        ),
        (
            "  events: gold.requests",
            "4:11: `events` must be a table, but `gold.requests` is a view",
        ),
        (
            "  requests: gold.model",
            "4:13: `requests` must be a view, but `gold.model` has mode `overwrite`",
        ),
        (
            "  requests: gold.request",
            "4:13: `requests`: there is no step `gold.request`",
        ),
        (
            "  recommendations: gold.lists",
            "4:20: `recommendations`: there is no step `gold.lists`",
        ),
        (
            "  description: gold.modl",
            "4:16: `description`: there is no step `gold.modl`\n  help: did you mean `gold.model`?",
        ),
        (
            "  description: gold.requests",
            "4:16: `description` must be a table, but `gold.requests` is a view",
        ),
        (
            "  stale_after: [gold.model, gold.factors]",
            "4:29: `stale_after`: no step writes or reads `gold.factors`",
        ),
        (
            "  stale_after: [gold.requests]",
            "4:17: `stale_after`: `gold.requests` is a view, which has no versions",
        ),
        (
            "  items: gold.requests",
            "4:10: `items`: `gold.requests` is a view, which has no versions",
        ),
        (
            "  items: gold.modl",
            "4:10: `items`: no step writes or reads `gold.modl`\n  help: did you mean `gold.model`?",
        ),
        ("  events: Events", "4:11: `Events` is not LAYER.TABLE"),
        ("  similar: b.sql", "4:12: b.sql cannot be read"),
        ("  scores: [{ column: x, model: b.sql }]", "4:32: b.sql cannot be read"),
        (
            "  scores:\n    - { column: x }\n    - { column: x }",
            "6:17: the score has the part `x` twice, here and on line 5",
        ),
        (
            "  scores: [{ column: rank }]",
            "4:22: `rank` cannot be a part of the score",
        ),
        (
            "  scores: [{ column: x, color: gren }]",
            "4:32: unknown color `gren`; the colors are blue, green, orange, purple, red, teal, pink, gray\n  help: did you \
             mean `green`?",
        ),
        ("  scores: [{ label: x }]", "`column` is missing"),
        ("  scores: [{ column: x, colour: red }]", "unknown key `colour`"),
        ("  models: { mine: b.sql }", "4:19: b.sql cannot be read"),
        (
            "  models: { My-Model: a.sql }",
            "`My-Model` is not a valid name for a model",
        ),
        (
            "  models: { blend: a.sql }",
            "4:20: the name `blend` is reserved for the project's own recommendations",
        ),
        (
            "  scores: [{ column: x, model: a.sql }]\n  models: { x: a.sql }",
            "5:16: two models are named `x`",
        ),
    ] {
        let text = error(&with(keys), None);
        assert!(text.contains(expected), "{keys}\n{text}");
    }
}

#[test]
fn a_table_that_another_program_writes_may_be_a_model() {
    let shop = with("  stale_after: [gold.factors]");
    assert!(error(&shop, None).contains("no step writes or reads `gold.factors`"));
    let read = shop.replace("sql: a.sql, mode: merge", "sql: reader.sql, mode: merge");
    let stale = load(&read, None, &[]).unwrap().recommender.stale_after;
    assert_eq!(stale[0].to_string(), "gold.factors");
}

#[test]
fn a_step_with_a_problem_of_its_own_is_known() {
    let shop = with("  description: gold.model").replace("sql: a.sql, mode: overwrite", "sql: b.sql, mode: overwrite");
    let text = error(&shop, None);
    assert!(
        text.contains("b.sql cannot be read") && !text.contains("description"),
        "{text}"
    );
}
