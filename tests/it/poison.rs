//! Whatever a topic contains, every record ends up in Silver, or in quarantine with a reason; and the fields of events
//! may change.

use std::fs;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::support::Shop;

const SAMPLES: usize = 1_500;
const FIELDS: [&str; 8] = [
    "event_id",
    "timestamp",
    "session_id",
    "user_id",
    "item_id",
    "event_type",
    "extra",
    "x",
];

/// JSON values of every kind, some of them valid for the field.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("\"view\"".to_owned()),
        Just("\"2025-07-14T00:00:00Z\"".to_owned()),
        Just("\"9999-12-31T23:59:59.999999999Z\"".to_owned()),
        Just("\"0001-01-01T00:00:00-23:59\"".to_owned()),
        Just("\"+292278994-08-17T07:12:55Z\"".to_owned()),
        Just("\"\\u0000\\ud83d\\ude00\"".to_owned()),
        Just("\"\\ud83d\"".to_owned()),
        Just("1e999".to_owned()),
        Just("-0".to_owned()),
        Just("99999999999999999999999999".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<f64>().prop_map(|value| value.to_string()),
        any::<i64>().prop_map(|value| value.to_string()),
        "[ -~]{0,12}".prop_map(|text| serde_json::to_string(&text).unwrap()),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(inner, 0..3).prop_map(|items| {
                let fields = items.iter().enumerate().map(|(n, item)| format!("\"k{n}\":{item}"));
                format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
            }),
        ]
    })
}

fn object() -> impl Strategy<Value = Vec<u8>> {
    let field = (prop::sample::select(FIELDS.to_vec()), json());
    prop::collection::vec(field, 0..9).prop_map(|fields| {
        let fields: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("\"{name}\":{value}"))
            .collect();
        format!("{{{}}}", fields.join(",")).into_bytes()
    })
}

/// A valid event with one byte changed, or truncated.
fn broken() -> impl Strategy<Value = Vec<u8>> {
    let event =
        br#"{"event_id":"e","timestamp":"2025-07-14T00:00:00Z","session_id":"s","item_id":"i","event_type":"view"}"#;
    (any::<prop::sample::Index>(), any::<u8>(), any::<bool>()).prop_map(move |(at, byte, cut)| {
        let mut event = event.to_vec();
        let at = at.index(event.len());
        event[at] = byte;
        if cut {
            event.truncate(at + 1);
        }
        event
    })
}

fn corpus() -> Vec<Vec<u8>> {
    let mut runner = TestRunner::deterministic();
    let bytes = prop::collection::vec(any::<u8>(), 0..64);
    let poison = prop_oneof![object(), broken(), bytes];
    let mut values: Vec<Vec<u8>> = (0..SAMPLES)
        .map(|_| poison.new_tree(&mut runner).unwrap().current())
        .collect();
    let nested = |depth: usize| format!("{{\"item_id\":\"i\",\"x\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    values.push(nested(100).into_bytes());
    values.push(nested(100_000).into_bytes());
    values.push(format!("{{\"event_id\":\"{}\"}}", "x".repeat(10 << 20)).into_bytes());
    values.retain(|value| !value.contains(&b'\n') && !value.contains(&b'\r') && !value.trim_ascii().is_empty());
    values
}

#[test]
fn every_poison_is_quarantined_with_a_reason_or_accepted_under_both_policies() {
    let values = corpus();
    assert!(values.len() > SAMPLES / 2);
    for policy in ["quarantine", "evolve"] {
        let shop = Shop::up_to_silver();
        shop.edit(
            "pipelines.yaml",
            "pipelines:",
            &format!("vars: {{ schema: {policy} }}\npipelines:"),
        );
        let text: Vec<u8> = values.iter().flat_map(|value| [&value[..], b"\n"].concat()).collect();
        fs::write(shop.path("sample_data/poison.json"), text).unwrap();
        shop.ok(&["run"]);
        shop.assert_nothing_lost(values.len() as u64);
        assert_eq!(
            shop.number("select count(*) from silver.quarantine where coalesce(reason, '') = ''"),
            0
        );
        assert!(
            shop.number("select count(*) from silver.events") > 0,
            "a byte in a name harms nobody"
        );
        let kept = "select count(*) from silver.quarantine q join bronze.clicks b on q.topic = b.topic and q.partition = \
                    b.partition and q.\"offset\" = b.\"offset\" and q.value = b.value";
        assert_eq!(
            shop.number(kept),
            shop.number("select count(*) from silver.quarantine"),
            "bytes as they came"
        );
    }
}

/// An event with one field replaced.
fn event(id: u32, from: &str, to: &str) -> String {
    let event = format!(
        r#"{{"event_id":"e{id}","timestamp":"2025-07-14T00:00:0{id}Z","session_id":"s","user_id":"u","item_id":"i{id}","event_type":"view"}}"#
    );
    assert!(event.contains(from), "{from}");
    event.replace(from, to) + "\n"
}

/// ID, user, extra fields and reason for each of five records: a valid one, one with a field added, one with a field
/// missing, and two with a field of another type.
fn judged(policy: Option<&str>) -> Vec<String> {
    let shop = Shop::up_to_silver();
    if let Some(policy) = policy {
        shop.edit(
            "pipelines.yaml",
            "pipelines:",
            &format!("vars: {{ schema: {policy} }}\npipelines:"),
        );
    }
    let lines = [
        event(1, "view", "view"),
        event(2, r#""session_id""#, r#""coupon":{"code":"X"},"session_id""#),
        event(3, r#""item_id":"i3","#, ""),
        event(4, r#""user_id":"u""#, r#""user_id":42"#),
        event(5, r#""user_id":"u""#, r#""user_id":["u"]"#),
    ];
    fs::write(shop.path("sample_data/1.json"), lines.concat()).unwrap();
    shop.ok(&["run"]);
    shop.assert_nothing_lost(5);
    let mut rows = shop.rows("select event_id, user_id, extra from silver.events");
    rows.extend(shop.rows("select reason from silver.quarantine"));
    rows.sort();
    rows
}

#[test]
fn fields_added_missing_and_retyped_are_quarantined_by_default() {
    let expected = [
        "item_id is missing",
        "\"user_id: expected string, found array\"",
        "\"user_id: expected string, found number\"",
        "e1,u,",
        "e2,u,\"{\"\"coupon\"\":{\"\"code\"\":\"\"X\"\"}}\"",
    ];
    let mut expected = expected.map(str::to_owned);
    expected.sort();
    for policy in [None, Some("quarantine")] {
        assert_eq!(
            judged(policy),
            expected,
            "an added field is kept, and its record accepted"
        );
    }
}

#[test]
fn fields_added_and_retyped_are_kept_where_the_schema_may_evolve() {
    let expected = [
        "item_id is missing",
        "e1,u,",
        "e2,u,\"{\"\"coupon\"\":{\"\"code\"\":\"\"X\"\"}}\"",
        "e4,42,",
        "e5,,\"{\"\"user_id\"\":[\"\"u\"\"]}\"",
    ];
    let mut expected = expected.map(str::to_owned);
    expected.sort();
    assert_eq!(judged(Some("evolve")), expected);
    let shop = Shop::up_to_silver();
    shop.edit("pipelines.yaml", "pipelines:", "vars: { schema: drop }\npipelines:");
    let (code, error) = shop.fails(&["plan"]);
    assert!(code == 2 && error.contains("'quarantine' or 'evolve'"), "{error}");
}
