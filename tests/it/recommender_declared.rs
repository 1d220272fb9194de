//! `recommender:` in `pipelines.yaml`: what it refuses, where, and with which way out.

use std::fs;

use serde_json::Value;

use crate::own_projects::{POPULAR_SESSIONS, click, of_followers, of_popularity};

/// A mistake in a project.
struct Mistake {
    file: &'static str,
    from: &'static str,
    to: &'static str,
    /// What is on the line that the error names.
    on_line: &'static str,
    expected: &'static [&'static str],
}

/// A mistake in the project file, reported where it is.
const fn declared(from: &'static str, to: &'static str, expected: &'static [&'static str]) -> Mistake {
    Mistake {
        file: "pipelines.yaml",
        from,
        to,
        on_line: to,
        expected,
    }
}

const STALE: &str = "stale_after: [gold.followers]";

const MISTAKES: [Mistake; 19] = [
    // Tables that no step writes, or of the wrong kind.
    declared(
        STALE,
        "events: silver.evnts",
        &["`silver.evnts`", "did you mean `silver.events`?"],
    ),
    declared(STALE, "events: silver.clicks", &["`silver.clicks` is a view"]),
    declared(
        STALE,
        "requests: gold.reqests",
        &["`gold.reqests`", "did you mean `gold.requests`?"],
    ),
    declared(
        STALE,
        "requests: gold.recommendations",
        &["`gold.recommendations` has mode `merge`", "mode: view"],
    ),
    declared(
        STALE,
        "recommendations: gold.recomendations",
        &["`gold.recomendations`", "did you mean `gold.recommendations`?"],
    ),
    declared(
        STALE,
        "description: gold.touched_sessions",
        &["`gold.touched_sessions` is a view", "mode: overwrite"],
    ),
    declared(
        STALE,
        "stale_after: [gold.folowers]",
        &["`gold.folowers`", "did you mean `gold.followers`?"],
    ),
    declared(
        STALE,
        "stale_after: [gold.requests]",
        &["`gold.requests` is a view", "name the tables that the view reads"],
    ),
    declared(STALE, "stale_after: [followers]", &["`followers` is not LAYER.TABLE"]),
    // Parts of the score.
    declared(
        "color: orange",
        "color: orang",
        &["unknown color `orang`", "did you mean `orange`?"],
    ),
    declared(
        "color: orange",
        "color: ultraviolet",
        &[
            "unknown color `ultraviolet`",
            "blue, green, orange, purple, red, teal, pink, gray",
        ],
    ),
    declared(
        "color: orange",
        "colour: orange",
        &["unknown key `colour`", "did you mean `color`?"],
    ),
    Mistake {
        on_line: "label: Popularity",
        ..declared("column: follows", "column: popularity", &["`popularity` twice"])
    },
    declared(
        "column: follows",
        "column: rank",
        &["`rank` cannot be a part of the score"],
    ),
    declared(
        "column: follows",
        "column: followed",
        &[
            "`gold.recommendations` has no column `followed`",
            "did you mean `follows`?",
            "sql/gold/recommendations.sql",
        ],
    ),
    Mistake {
        file: "sql/gold/recommendations.sql",
        on_line: "column: follows",
        ..declared(
            "        scored.follows,\n",
            "        cast(scored.follows as varchar) as follows,\n",
            &["the column `follows` of `gold.recommendations`", "select a number"],
        )
    },
    // SQL files and models.
    declared(
        "model: sql/models/follows.sql",
        "model: sql/models/folows.sql",
        &[
            "sql/models/folows.sql cannot be read",
            "the paths of SQL files are relative to",
        ],
    ),
    declared(
        "similar: sql/models/similar.sql",
        "similar: sql/models/alike.sql",
        &["sql/models/alike.sql cannot be read"],
    ),
    declared(
        STALE,
        "models: { follows: sql/models/similar.sql }",
        &["two models are named `follows`", "choose another name"],
    ),
];

#[test]
fn wrong_declarations_are_refused_with_their_place_and_a_way_out() {
    for mistake in &MISTAKES {
        let shop = of_followers();
        shop.edit(mistake.file, mistake.from, mistake.to);
        let project = fs::read_to_string(shop.path("pipelines.yaml")).unwrap();
        let line = project.lines().position(|line| line.contains(mistake.on_line)).unwrap() + 1;
        for command in ["plan", "run"] {
            let (code, error) = shop.fails(&[command]);
            let place = format!("pipelines.yaml:{line}:");
            for text in [place.as_str()].iter().chain(mistake.expected) {
                assert!(error.contains(text), "{}: `{text}` is not in: {error}", mistake.to);
            }
            assert_eq!(code, 2, "{}: {error}", mistake.to);
        }
        assert!(
            !shop.path("lake/bronze/clicks/_delta_log").exists(),
            "{}: data was written",
            mistake.to
        );
    }
}

#[test]
fn all_mistakes_of_a_declaration_are_reported_together() {
    let shop = of_followers();
    shop.edit("pipelines.yaml", STALE, "stale_after: [gold.folowers]");
    shop.edit("pipelines.yaml", "color: orange", "color: violet");
    shop.edit("pipelines.yaml", "sql/models/popularity.sql", "sql/models/popular.sql");
    let (_, error) = shop.fails(&["plan"]);
    for text in ["`gold.folowers`", "`violet`", "sql/models/popular.sql cannot be read"] {
        assert!(error.contains(text), "{text}: {error}");
    }
}

#[test]
fn a_project_that_declares_nothing_recommends_from_tables_with_the_usual_names() {
    let shop = of_popularity();
    shop.edit("pipelines.yaml", "\nrecommender: {}\n", "");
    click(&shop, &POPULAR_SESSIONS);
    let found: Value = serde_json::from_str(&shop.ok(&["recommend", "--items", "a", "--json"])).unwrap();
    assert_eq!(found[0]["item_id"], "b", "{found}");
}

#[test]
fn steps_may_have_other_names() {
    let shop = of_popularity();
    for (file, from, to) in [
        ("pipelines.yaml", "gold.requests", "gold.visitors"),
        ("pipelines.yaml", "gold.recommendations", "gold.next_items"),
        ("sql/gold/recommendations.sql", "gold.requests", "gold.visitors"),
        (
            "pipelines.yaml",
            "recommender: {}",
            "recommender: { requests: gold.visitors, recommendations: gold.next_items }",
        ),
    ] {
        shop.edit(file, from, to);
    }
    click(&shop, &POPULAR_SESSIONS);
    let found: Value = serde_json::from_str(&shop.ok(&["recommend", "--items", "a", "--json"])).unwrap();
    assert_eq!(found[0]["item_id"], "b", "{found}");
    let listed = shop.rows("select item_id from gold.next_items where session_id = 's7' order by rank");
    assert_eq!(listed, ["a", "b", "c"]);
    let report = shop.ok(&["evaluate", "--test-share", "0.4", "--k", "3", "--json"]);
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["cases"], 2, "{report}");
}
