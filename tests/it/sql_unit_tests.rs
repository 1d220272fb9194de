//! `clickrec test`: the tests shipped with a project, the output of a failing test, and tests generated from the lake.

use std::fs;

use super::support::Shop;

/// Removes durations, which differ from run to run.
fn without_times(text: &str) -> String {
    let lines = text.lines().map(|line| match line.rsplit_once(" in ") {
        Some((counted, took)) if took.ends_with(" ms") => format!("{counted} in … ms"),
        _ => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Writes a test file; returns its path.
fn write(shop: &Shop, text: &str) -> &'static str {
    fs::write(shop.path("one.yaml"), text).unwrap();
    "one.yaml"
}

/// Runs a file with an error in it; returns the message.
fn refused(shop: &Shop, text: &str) -> String {
    let file = write(shop, text);
    let (code, error) = shop.fails(&["test", file]);
    assert_eq!(code, 2, "{error}");
    error
}

#[test]
fn the_shipped_tests_pass_whatever_the_shop_has_set() {
    let shop = Shop::with_sample_data();
    let mut args = vec!["test"];
    for variable in [
        "session_timeout=20 minutes",
        "session_ends_at_midnight=true",
        "session_ends_with_campaign=true",
        "timezone=Asia/Kolkata",
        "test_ids=qa-1",
        "views_per_minute=60",
        "excluded=count",
        "users_per_id=2",
        "sessions_per_id=10",
        "earlier_sessions=0.3",
        "conflicting_events=keep",
        "schema=evolve",
    ] {
        args.extend(["--var", variable]);
    }
    let ended = shop.run(&args);
    let told = String::from_utf8_lossy(&ended.stdout);
    assert!(
        ended.status.success() && told.contains(" passed, 0 failed in "),
        "{told}"
    );
}

#[test]
fn the_shipped_tests_pass_without_a_lake() {
    let shop = Shop::with_sample_data();
    let ended = shop.run(&["test"]);
    let told = String::from_utf8_lossy(&ended.stdout);
    assert!(
        ended.status.success() && told.contains(" passed, 0 failed in "),
        "{told}"
    );
    let logged = String::from_utf8_lossy(&ended.stderr);
    assert!(!logged.contains("WARN"), "made-up rows warn of nothing: {logged}");
    assert!(!shop.path("lake").exists(), "tests write nothing");
    let told: serde_json::Value = serde_json::from_str(&shop.ok(&["test", "--json"])).unwrap();
    let tested: Vec<&str> = told["tests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|test| test["step"].as_str().unwrap())
        .collect();
    for file in fs::read_dir(shop.path("sql"))
        .unwrap()
        .map(|folder| folder.unwrap().path())
        // `clickrec test` tests steps, and the models that are declared under `recommender` are none. `clickrec evaluate`
        // runs them, and its figures agree with computations by hand (evaluate.rs).
        .filter(|folder| !folder.ends_with("models"))
    {
        let layer = file.file_name().unwrap().to_str().unwrap().to_owned();
        for file in fs::read_dir(&file).unwrap().map(|file| file.unwrap().path()) {
            let table = file.file_stem().unwrap().to_str().unwrap();
            let is_sql = file.extension().is_some_and(|extension| extension == "sql");
            let step = format!("{layer}.{table}");
            assert!(!is_sql || tested.contains(&step.as_str()), "{step} has no test");
        }
    }
}

#[test]
fn a_change_of_the_sql_shows_what_it_changes() {
    let shop = Shop::new();
    shop.edit(
        "sql/gold/session_items.sql",
        "when 'purchase' then 5.0",
        "when 'purchase' then 8.0",
    );
    let output = shop.run(&["test", "--select", "gold.session_items"]);
    assert_eq!(output.status.code(), Some(1));
    let told = without_times(&String::from_utf8(output.stdout).unwrap());
    insta::assert_snapshot!(told);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("1 test failed"), "{errors}");
}

#[test]
fn rows_are_missing_unexpected_or_differ() {
    let shop = Shop::new();
    let file = write(
        &shop,
        "tests:
  - name: what is wrong with every row
    step: silver.events
    batches:
      - given:
          silver.clicks:
            - { event_id: e1, event_at: 2025-07-13T12:00:00Z, session_id: s1, item_id: p1, event_type: view }
            - { event_id: e2, event_at: 2025-07-13T12:00:00Z, session_id: s1, item_id: p2, event_type: view }
      - given:
          silver.clicks:
            - { event_id: e3, event_at: 2025-07-13T12:00:00Z, session_id: s2, item_id: p2, event_type: view }
        expect_table:
          - { event_id: e1, session_id: s1, event_type: view, item_id: p1 }
          - { event_id: e2, session_id: s1, event_type: purchase, item_id: p2 }
          - { event_id: gone, session_id: s9, event_type: purchase, item_id: p9 }
",
    );
    let output = shop.run(&["test", file]);
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(without_times(&String::from_utf8(output.stdout).unwrap()));
}

#[test]
fn files_with_mistakes_are_refused_at_their_place() {
    let shop = Shop::new();
    let test = |step: &str, rest: &str| format!("tests:\n  - name: a\n    step: {step}\n{rest}");
    for (text, expected) in [
        (
            test("gold.sesions", "    expect: []\n"),
            "one.yaml:3:11: there is no step `gold.sesions`\n  help: did you mean `gold.sessions`?",
        ),
        (
            test("gold.sessions", "    expct: []\n"),
            "one.yaml:4:5: unknown key `expct`",
        ),
        (test("gold.sessions", ""), "one.yaml:2:11: the test has no expectation"),
        (
            test("gold.sessions", "    given:\n      silver.event: []\n    expect: []\n"),
            "one.yaml:5:7: the SQL of `gold.sessions` does not read `silver.event`\n  help: did you mean `silver.events`?",
        ),
        (
            test(
                "gold.sessions",
                "    given:\n      silver.events:\n        - { sesion_id: s1 }\n    expect: []\n",
            ),
            "one.yaml:6:13: `silver.events` has no column `sesion_id`\n  help: did you mean `session_id`?",
        ),
        (
            test(
                "gold.sessions",
                "    given:\n      silver.events:\n        - { event_at: yesterday }\n    expect: []\n",
            ),
            "one.yaml:6:23: `event_at` must be a time, like 2025-07-13T12:00:00Z; found \"yesterday\"",
        ),
        (
            test("gold.sessions", "    expect:\n      - { session_id: 12 }\n"),
            "one.yaml:5:23: `session_id` must be text, but `12` is not\n  help: write it in quotes: '12'",
        ),
        (
            test("gold.sessions", "    expect:\n      - { evnts: 12 }\n"),
            "one.yaml:5:11: `gold.sessions` has no column `evnts`\n  help: did you mean `events`?",
        ),
        (
            test("gold.sessions", "    cte: itms\n    expect: []\n"),
            "one.yaml:4:10: sql/gold/sessions.sql has no CTE `itms`\n  help: did you mean `items`?",
        ),
        (
            test("gold.recommendations", "    vars: { see: show }\n    expect: []\n"),
            "one.yaml:4:13: the SQL of `gold.recommendations` has no variable `see`\n  help: did you mean `seen`?",
        ),
        (
            test(
                "gold.sessions",
                "    given:\n      silver.events: { file: none.csv }\n    expect: []\n",
            ),
            "one.yaml:5:30: no such file: none.csv",
        ),
        (
            test("gold.requests", "    expect_table: []\n"),
            "one.yaml:4:19: a view has no table to compare with",
        ),
    ] {
        let error = refused(&shop, &text);
        assert!(error.contains(expected), "{text}\n{error}\nshould say\n{expected}");
    }
}

#[test]
fn rows_may_stand_in_files_beside_the_test() {
    let shop = Shop::new();
    fs::write(
        shop.path("events.csv"),
        "session_id,item_id,event_type,event_at\ns1,p1,view,2025-07-13 12:00:00\ns1,,view,2025-07-13 12:01:00\n",
    )
    .unwrap();
    fs::write(
        shop.path("touched.ndjson"),
        "{\"session_id\": \"s1\", \"replaced_session_ids\": [\"s2\"]}\n",
    )
    .unwrap();
    let text = "tests:
  - name: files
    step: gold.sessions
    given:
      silver.events: { file: events.csv }
      changes('silver.events'): { file: touched.ndjson }
    expect:
      - { session_id: s1, duration_s: 60 }
      - { session_id: s2, duration_s: null }
";
    let file = write(&shop, text);
    shop.ok(&["test", file]);
    fs::write(shop.path("touched.ndjson"), "\n{\"sesion_id\": \"s1\"}\n").unwrap();
    let error = refused(&shop, text);
    assert!(
        error.contains("touched.ndjson:2:2: `changes('silver.events')` has no column `sesion_id`"),
        "{error}"
    );
}

#[test]
fn tests_made_from_the_lake_pass_at_once() {
    let (_, error) = Shop::with_sample_data().fails(&["test", "--generate", "gold.sessions"]);
    assert!(error.contains("the lake has no rows"), "{error}");
    let shop = Shop::after_a_run();
    let steps = shop.ok(&["plan", "--json"]);
    let steps: serde_json::Value = serde_json::from_str(&steps).unwrap();
    for step in steps
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["step"].as_str().unwrap())
    {
        if ["gold.item_rules", "gold.excluded", "silver.excluded_sessions"].contains(&step) {
            // Everything in the sample data is in stock, and everybody in it is a visitor.
            continue;
        }
        let told = shop.ok(&["test", "--generate", step]);
        assert!(told.contains("1 passed, 0 failed"), "{step}: {told}");
        let file = format!("sql/tests/{}.generated.yaml", step.replace('.', "_"));
        let text = fs::read_to_string(shop.path(&file)).unwrap();
        assert!(!text.contains("expect: []"), "{step}: the slice gives no rows\n{text}");
    }
    let (_, error) = shop.fails(&["test", "--generate", "gold.sessions"]);
    assert!(error.contains("already exists"), "{error}");
    shop.ok(&["test"]);
}
