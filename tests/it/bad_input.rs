//! Every mistake in a project causes an error that names its location and the fix, before any data is touched.

use std::fs;

use crate::support::Shop;

/// An edit to one file, and what the error of `plan` and `run` must contain.
const MISTAKES: &[(&str, &str, &str, &[&str])] = &[
    (
        "pipelines.yaml",
        "mode: append }",
        "mod: append }",
        &["pipelines.yaml:", "unknown key `mod`", "did you mean `mode`?"],
    ),
    (
        "pipelines.yaml",
        "sql/gold/sessions.sql",
        "sql/gold/session.sql",
        &["pipelines.yaml:", "sql/gold/session.sql cannot be read"],
    ),
    (
        "pipelines.yaml",
        "key: [event_id, event_date] }",
        "key: [id] }",
        &[
            "silver/events.sql",
            "the key column `id` of `silver.events` is not in the result",
        ],
    ),
    (
        "pipelines.yaml",
        "key: [event_id, event_date] }",
        "key: [event_id, event_date], partition_by: [day] }",
        &[
            "silver/events.sql",
            "the partition_by column `day` of `silver.events` is not in the result",
        ],
    ),
    (
        "pipelines.yaml",
        "lake: ./lake",
        "lake: \"${LAKE_FOLDER}\"",
        &["pipelines.yaml:4:7", "not define `LAKE_FOLDER`", "export LAKE_FOLDER"],
    ),
    (
        "sql/gold/sessions.sql",
        "silver.events as events",
        "silver.evnts as events",
        &[
            "sql/gold/sessions.sql:23:15",
            "`silver.evnts`",
            "did you mean `silver.events`?",
        ],
    ),
    (
        "sql/bronze/clicks.sql",
        "changes('clicks')",
        "changes('click')",
        &[
            "sql/bronze/clicks.sql:",
            "no source or step has this name",
            "did you mean `clicks`?",
        ],
    ),
    (
        "sql/gold/sessions.sql",
        "count(events.event_id) as events",
        "cuont(events.event_id) as events",
        &[
            "sql/gold/sessions.sql",
            "cuont",
            "sessions.sql:18:9: Invalid function 'cuont'",
        ],
    ),
    (
        "sql/gold/sessions.sql",
        "events.event_at",
        "events.evnt_at",
        &["sql/gold/sessions.sql", "evnt_at"],
    ),
    (
        "sql/gold/sessions.sql",
        "left join silver.events as events on",
        "left join silver.events as events",
        &["sql/gold/sessions.sql:"],
    ),
    (
        "sql/gold/als_factors.sql",
        "factors => var('factors', 64)",
        "factors => 'many'",
        &["als_factors.sql:18:6: als_train: factors must be a whole number, found 'many'"],
    ),
    (
        "sql/gold/als_factors.sql",
        "factors => var('factors', 64)",
        "factors => 0",
        &["als_train: factors is 0; it must be from 1 to 1024"],
    ),
    (
        "sql/gold/als_factors.sql",
        "factors => var('factors', 64)",
        "factor => 64",
        &["als_train: there is no argument `factor`; did you mean `factors`?"],
    ),
    (
        "sql/gold/als_factors.sql",
        "weight => weight",
        "weight => wait",
        &["als_train: the relation `interactions` has no column `wait`"],
    ),
    (
        "sql/gold/als_factors.sql",
        "weight => weight",
        "weight => last_event_at",
        &["last_event_at", "it must be a number"],
    ),
    (
        "sql/gold/recommendations.sql",
        "gold.als_factors,",
        "gold.sessions,",
        &["recommend: `model` has no column `kind`"],
    ),
    (
        "sql/silver/clicks.sql",
        "timestamp timestamp,",
        "timestamp tiemstamp,",
        &["from_json: column `timestamp` has the unknown type `tiemstamp`"],
    ),
    (
        "sql/gold/engagement.sql",
        "from gold.sessions",
        "from changes('gold.sessions')",
        &["overwrite", "make it `append` or `merge`"],
    ),
    (
        "sql/gold/sessions.sql",
        "silver.events as events",
        "gold.sessions as events",
        &["sql/gold/sessions.sql:23:15: steps form a cycle: gold.sessions -> gold.sessions"],
    ),
    (
        "sql/gold/recommendations.sql",
        "        history,",
        "        histori,",
        &["sql/gold/recommendations.sql:61:9", "histori' not found"],
    ),
    (
        "pipelines.yaml",
        "sessions.sql, mode: merge, key: [session_id], delete: events = 0",
        "sessions.sql, mode: merge, key: [session_id], delete: evnts = 0",
        &["`delete: evnts = 0` of `gold.sessions`", "Did you mean 'events'"],
    ),
    (
        "sql/bronze/clicks.sql",
        "select",
        "delete from x; select",
        &["the SQL must be one query"],
    ),
];

#[test]
fn plan_and_run_find_every_mistake_before_data_is_touched() {
    for (file, from, to, expected) in MISTAKES {
        let shop = Shop::new();
        shop.produce("1.json", 100, 1, 0.0);
        shop.edit(file, from, to);
        for command in ["plan", "run"] {
            let (found, error) = shop.fails(&[command]);
            for text in *expected {
                assert!(error.contains(text), "{to}: `{text}` is not in: {error}");
            }
            assert_eq!(found, 2, "{to}: {error}");
        }
        assert!(
            !shop.path("lake/bronze/clicks/_delta_log").exists(),
            "{to}: data was written"
        );
    }
}

#[test]
fn an_empty_source_and_a_tiny_model_work() {
    let shop = Shop::new();
    shop.ok(&["run"]);
    assert_eq!(shop.number("select count(*) from bronze.clicks"), 0);
    // One session, one item.
    let line =
        r#"{"timestamp":"2025-07-14T00:00:00Z","session_id":"s","user_id":"u","item_id":"i","event_type":"view"}"#;
    fs::write(shop.path("sample_data/1.json"), format!("{line}\n")).unwrap();
    shop.ok(&["run"]);
    shop.assert_nothing_lost(1);
    assert_eq!(shop.number("select count(*) from gold.als_factors"), 3);
    assert_eq!(
        shop.number("select count(*) from gold.recommendations"),
        0,
        "nothing is left to recommend"
    );
}

#[test]
fn poison_records_are_kept_with_their_reason() {
    let shop = Shop::up_to_silver();
    let deep = format!("{{\"item_id\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let large = format!(
        "{{\"timestamp\":\"2025-07-14T00:00:00Z\",\"item_id\":\"{}\"",
        "x".repeat(10 << 20)
    );
    let good = |field: &str, value: &str| {
        let line =
            r#"{"timestamp":"2025-07-14T00:00:00Z","session_id":"s","user_id":"u","item_id":"i","event_type":"view"}"#;
        let mut fields: serde_json::Value = serde_json::from_str(line).unwrap();
        fields[field] = serde_json::from_str(value).unwrap();
        fields.to_string()
    };
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (b"no json".to_vec(), "not JSON"),
        (b"{\"item_id\":\"a\"".to_vec(), "not JSON: cut off"),
        (b"[]".to_vec(), "not a JSON object: an array"),
        (vec![b'{', 0xC3, 0x28, b'}'], "not UTF-8"),
        (deep.into_bytes(), "item_id: expected string, found array"),
        (large.into_bytes(), "not JSON: cut off"),
        (b"{}".to_vec(), "timestamp is missing"),
        (
            good("item_id", "88").into_bytes(),
            "item_id: expected string, found number",
        ),
        (good("item_id", "\" \"").into_bytes(), "item_id is missing"),
        (good("event_type", "\"wish\"").into_bytes(), "event_type is unknown"),
        (
            good("timestamp", "\"2999-01-01T00:00:00Z\"").into_bytes(),
            "timestamp is in the future",
        ),
        (
            good("timestamp", "\"soon\"").into_bytes(),
            "timestamp: not an RFC 3339 time",
        ),
    ];
    let mut file: Vec<u8> = cases
        .iter()
        .flat_map(|(line, _)| [line.clone(), b"\n".to_vec()].concat())
        .collect();
    file.extend_from_slice(format!("{}\n", good("item_id", "\"ok\"")).as_bytes());
    fs::write(shop.path("sample_data/1.json"), &file).unwrap();
    shop.ok(&["run"]);
    shop.assert_nothing_lost(cases.len() as u64 + 1);
    let reasons = shop.rows("select reason from silver.quarantine order by \"offset\"");
    let expected: Vec<&str> = cases.iter().map(|(_, reason)| *reason).collect();
    assert_eq!(
        reasons
            .iter()
            .map(|reason| reason.trim_matches('"'))
            .collect::<Vec<_>>(),
        expected
    );
    let kept = shop.rows("select encode(value, 'hex') from silver.quarantine where reason = 'not UTF-8'");
    assert_eq!(kept, ["7bc3287d"], "byte for byte");
}

#[test]
fn a_damaged_log_says_which() {
    let shop = Shop::up_to_silver();
    shop.produce("1.json", 100, 1, 0.0);
    shop.ok(&["run"]);
    let log = shop.path("lake/silver/events/_delta_log/00000000000000000000.json");
    let text = fs::read(&log).unwrap();
    fs::write(&log, &text[..text.len() / 2]).unwrap();
    let (code, error) = shop.fails(&["run"]);
    assert!(code == 1 && error.contains("silver.events"), "{error}");
}

#[test]
fn a_lake_that_cannot_be_written_is_told_before_the_work() {
    let shop = Shop::new();
    shop.produce("1.json", 100, 1, 0.0);
    shop.edit("pipelines.yaml", "lake: ./lake", "lake: /proc/no/lake");
    let (code, error) = shop.fails(&["run"]);
    assert!(
        code == 1 && error.contains("cannot write to the lake in /proc/no/lake/"),
        "{error}"
    );
}
