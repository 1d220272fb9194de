//! The generated SQL runs, and returns what the mapping means, whatever fields are called.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use datafusion::datasource::MemTable;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::infer::infer;
use super::super::interpret::{Row, rows};
use super::super::locate::LocatedSource;
use super::super::mapping::{Choice, Event, Field, FieldType, Kinds, List, Mapping};
use super::super::place::{FieldPath, Place};
use super::super::presets::preset;
use super::super::sample::Record;
use super::super::shape::Shape;
use super::super::times::TimeNotation;
use super::*;
use crate::engine::{Bindings, Engine, EngineOptions, query};
use crate::sources::{RecordBatchBuilder, RecordRef, record_schema};

fn shipped() -> Shipped {
    Shipped {
        pipelines: include_str!("../../../pipelines.yaml"),
        sql: |path| match path {
            "bronze/clicks.sql" => include_str!("../../../sql/bronze/clicks.sql"),
            "silver/unaccepted.sql" => include_str!("../../../sql/silver/unaccepted.sql"),
            "silver/quarantine.sql" => include_str!("../../../sql/silver/quarantine.sql"),
            "silver/reconciliation.sql" => include_str!("../../../sql/silver/reconciliation.sql"),
            "tests/silver_quarantine.yaml" => include_str!("../../../sql/tests/silver_quarantine.yaml"),
            _ => "",
        },
    }
}

fn findings(records: &[Value], mapping: Option<Mapping>) -> Findings {
    let records: Vec<Record> = records
        .iter()
        .map(|value| Record {
            text: value.to_string(),
            value: value.clone(),
        })
        .collect();
    let shape = Shape::of(records.iter().map(|record| &record.value));
    let mapping = mapping.unwrap_or_else(|| infer(&shape, &records));
    Findings {
        sample: "sample.json".to_owned(),
        sources: vec![source("clicks", "files: { path: sample.json }")],
        left_out: vec![],
        records,
        others: 0,
        preset: None,
        mapping,
    }
}

fn source(name: &str, settings: &str) -> LocatedSource {
    LocatedSource {
        name: name.to_owned(),
        settings: settings.to_owned(),
        format: "ndjson".to_owned(),
    }
}

/// A row with the text of its reason.
type Found = (Row, Option<String>);

/// The rows that the generated SQL returns for the records.
async fn run(findings: &Findings) -> Vec<Found> {
    let mut bronze = RecordBatchBuilder::new(None);
    for (offset, record) in findings.records.iter().enumerate() {
        let record = RecordRef {
            topic: "t",
            partition: 0,
            offset: offset as i64,
            timestamp: None,
            key: None,
            value: Some(record.text.as_bytes()),
        };
        bronze.append(&record, |_| {});
    }
    let table = MemTable::try_new(record_schema(), vec![vec![bronze.finish().unwrap()]]).unwrap();
    let mut bindings = Bindings::default();
    bindings.changes.insert("bronze.clicks".to_owned(), Arc::new(table));
    let options = EngineOptions {
        memory_bytes: 64 << 20,
        spill_dir: None,
        threads: Some(1),
    };
    let session = Engine::new(&options).unwrap().session(&bindings).await.unwrap();
    let line = if findings.mapping.list.is_some() { ", line" } else { "" };
    let sql = clicks_sql::clicks_sql(findings);
    let sorted = format!("select * from ({sql}) as clicks order by \"offset\"{line}");
    let result = query(&session, &sorted)
        .await
        .unwrap_or_else(|error| panic!("{error}\n{sql}"));
    let batches = result.collect().await.unwrap_or_else(|error| panic!("{error}\n{sql}"));
    batches.iter().flat_map(found).collect()
}

fn found(batch: &RecordBatch) -> Vec<Found> {
    let text = |name: &str, row: usize| {
        let column = batch.column_by_name(name).unwrap();
        let column = arrow::compute::cast(column, &arrow::datatypes::DataType::Utf8).unwrap();
        let texts = column.as_string::<i32>();
        texts.is_valid(row).then(|| texts.value(row).to_owned())
    };
    let times = batch.column_by_name("event_at").unwrap();
    let times = times.as_primitive::<TimestampMicrosecondType>();
    let found = (0..batch.num_rows()).map(|row| {
        let event_type = text("event_type", row);
        let events = [Event::View, Event::AddToCart, Event::RemoveFromCart, Event::Purchase];
        let of_row = Row {
            event_at: times.is_valid(row).then(|| times.value(row)),
            session_id: text("session_id", row),
            user_id: text("user_id", row),
            item_id: text("item_id", row),
            event_type: events.into_iter().find(|event| Some(event.to_string()) == event_type),
            reason: None,
        };
        (of_row, text("reason", row))
    });
    found.collect()
}

fn expected(findings: &Findings) -> Vec<Found> {
    let all = findings.records.iter();
    let all = all.flat_map(|record| rows(&findings.mapping, &record.value).unwrap());
    let split = all.map(|mut row| {
        let reason = row.reason.take().map(str::to_owned);
        (row, reason)
    });
    split.collect()
}

#[tokio::test]
async fn the_sql_returns_what_the_mapping_means() {
    let flat = |n: usize| {
        let kinds = ["view", "addtocart", "it's"];
        json!({"ts": 1_772_359_200_000_u64 + n as u64, "visitorid": n % 4, "event": kinds[n % 3], "itemid": format!("i{n}")})
    };
    let session = |n: usize| {
        let event = |at: usize| json!({"aid": at, "ts": 1_772_359_200_u64 + at as u64, "type": "clicks", "more": [n]});
        let events: Vec<Value> = (0..n % 3).map(event).collect();
        json!({"session": n, "events": events, "device": "x"})
    };
    let order = |n: usize| match n % 2 {
        0 => {
            json!({"event": "Product Viewed", "at": "2026-03-01", "user": {"id": "u"}, "p": {"sku": "a"}, "message_id": n})
        }
        _ => {
            json!({"event": "purchase", "at": "2026-03-01", "user": {"id": "u"}, "p": {"items": [{"sku": n}, {"sku": "b"}]}})
        }
    };
    let plain =
        |n: usize| json!({"time": "01.03.2026 10:00", "sid": 1_772_359_200, "uid": n, "content_ids": [n, n + 1]});
    let nothing = |n: usize| json!({"what's \"this\"": n});
    let all: [&dyn Fn(usize) -> Value; 5] = [&flat, &session, &order, &plain, &nothing];
    for (number, make) in all.into_iter().enumerate() {
        let records: Vec<Value> = (0..12).map(make).collect();
        let findings = findings(&records, None);
        assert_eq!(
            run(&findings).await,
            expected(&findings),
            "{number}: {:?}",
            findings.mapping
        );
        let accepted = expected(&findings)
            .iter()
            .filter(|(_, reason)| reason.is_none())
            .count();
        assert_eq!(accepted > 0, number < 4, "{number}");
    }
}

#[tokio::test]
async fn sessions_are_those_of_a_browser_whoever_logs_in() {
    let call = |n: usize| {
        let (browser, user) = (
            (!n.is_multiple_of(5)).then_some("a\"1"),
            (!n.is_multiple_of(3)).then_some("u"),
        );
        let session = if n.is_multiple_of(2) {
            json!({})
        } else {
            json!({"sessionId": 17})
        };
        json!({"type": "track", "event": "Product Viewed", "messageId": n, "anonymousId": browser, "userId": user,
            "timestamp": "2026-03-01T10:00:00Z", "context": session, "properties": {"product_id": "p"}})
    };
    let records: Vec<Value> = (0..30).map(call).collect();
    let (name, preset) = preset("segment").unwrap();
    let mapping = preset.mapping(name, &Shape::of(&records)).unwrap();
    let findings = findings(&records, Some(mapping));
    let found = run(&findings).await;
    assert_eq!(found, expected(&findings));
    for (n, session) in [(1, Some("a\"1/17")), (2, Some("a\"1")), (5, Some("u/17")), (10, None)] {
        assert_eq!(found[n].0.session_id.as_deref(), session, "{n}");
    }
    let sql = clicks_sql::clicks_sql(&findings);
    assert!(sql.contains("'\"anonymous_id\":' || click['anonymous_json']"), "{sql}");
}

#[tokio::test]
async fn the_place_in_a_list_is_part_of_the_identity() {
    let order = json!({"event": "buy", "ts": 1_772_359_200, "uid": "u", "items": [{"sku": "a"}, {"sku": "a"}]});
    let findings = findings(&[order.clone(), order], None);
    let sql = clicks_sql::clicks_sql(&findings);
    assert!(
        sql.contains("cast(line as varchar),\n            canonical_json(extra)"),
        "{sql}"
    );
    assert_eq!(run(&findings).await.len(), 4);
}

#[test]
fn what_is_not_known_is_to_do_at_a_line() {
    let records: Vec<Value> = (0..30)
        .map(|n| json!({"event_type": format!("E{}", n % 3), "x": 0.5}))
        .collect();
    let findings = findings(&records, None);
    let sql = clicks_sql::clicks_sql(&findings);
    let to_do = to_do(&findings);
    assert_eq!(to_do.len(), 4, "time, session, item, kinds: {to_do:?}");
    for (what, line) in to_do.iter().zip([" time ", " session ", " item", "E0 (10)"]) {
        assert!(what.contains(line), "{what}");
        let number: usize = what.split(':').nth(1).unwrap().parse().unwrap();
        assert!(sql.lines().nth(number - 1).unwrap().contains("-- EDIT: "), "{what}");
    }
}

#[test]
fn the_shipped_files_have_what_is_edited() {
    let shipped = shipped();
    assert!(shipped.pipelines.contains(edits::SOURCE));
    assert!(shipped.pipelines.contains(edits::SAMPLE_CATALOG));
    for (file, edits) in edits::LINES {
        for (from, to) in edits {
            assert_eq!((shipped.sql)(file).matches(from).count(), 1, "{file}: {from}");
            assert!(!(shipped.sql)(file).contains(to) || to.is_empty(), "{file}: {to}");
        }
    }
    let sources = [
        source("clicks", "files: { path: a }"),
        source("buys", "files: { path: b }"),
    ];
    let (_, bronze) = edits::bronze(&sources, &shipped).unwrap();
    assert!(
        bronze.ends_with("from changes('buys')\n") && bronze.contains("from changes('clicks')\n\nunion all\n\nselect")
    );
    assert_eq!(edits::bronze(&sources[..1], &shipped), None);
    let pipelines = edits::pipelines(&sources, &shipped);
    assert!(
        pipelines
            .contains("sources:\n  clicks:\n    files: { path: a }\n  buys:\n    files: { path: b }\n  # The shop's")
    );
    let (catalog, _) = edits::catalog();
    assert!(
        pipelines.contains(&format!("files: {{ path: {catalog}, format: csv")),
        "{pipelines}"
    );
    assert!(!pipelines.contains(edits::SAMPLE_CATALOG));
}

#[test]
fn the_unit_test_has_records_of_each_outcome() {
    let record = |n: usize| {
        let kinds = ["view", "buy", "login"];
        json!({"ts": 1_772_359_200 + n, "sid": "it's", "event": kinds[n % 3], "sku": "ü"})
    };
    let records: Vec<Value> = (0..30).map(record).collect();
    let text = unit_test::unit_test(&findings(&records, None));
    let file: Value = serde_yaml::from_str(&text).unwrap();
    let test = &file["tests"][0];
    assert_eq!(
        test["given"]["changes('bronze.clicks')"].as_array().unwrap().len(),
        6,
        "{text}"
    );
    let expected = test["expect"].as_array().unwrap();
    assert_eq!(expected.len(), 6);
    assert_eq!(
        (&expected[0]["session_id"], &expected[2]["reason"]),
        (&json!("it's"), &json!("event_type is unknown"))
    );
    let empty = unit_test::unit_test(&findings(&[json!({"a": "b".repeat(10_000)})], None));
    assert_eq!(
        serde_yaml::from_str::<Value>(&empty).unwrap()["tests"][0]["expect"],
        json!([])
    );
}

/// Names as they may occur: quotes, dots, brackets, keywords, letters of any language, control characters, nothing.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[ -~]{0,6}",
        2 => any::<String>().prop_map(|text| text.chars().take(6).collect()),
        1 => prop::sample::select(vec!["select", "from", "rest", "items", "extra", "error", "item", "click", "$", "a.b[0]"])
            .prop_map(str::to_owned),
    ]
}

/// A value at the end of a path of such names.
fn nested(path: &[String], value: Value) -> Value {
    path.iter()
        .rev()
        .fold(value, |value, name| json!({ name.as_str(): value }))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn fields_may_have_any_name(
        names in prop::collection::btree_set(name(), 5),
        deeper in prop::collection::vec(name(), 0..3),
        item in "[ -~]{1,6}",
        number in 0_i64..1_000,
        in_list in any::<bool>(),
    ) {
        let names: Vec<String> = names.into_iter().collect();
        let path = |index: usize| [&names[index..=index], &deeper[..]].concat();
        let place = |index: usize| {
            let path = path(index).iter().fold(FieldPath::default(), |path, name| path.child(name));
            let list = in_list && index < 2;
            Place { list: list.then(|| FieldPath::default().child(&names[4])), path }
        };
        let field = |index: usize, field_type| Choice {
            fields: vec![Field { place: place(index), field_type, counts_from_zero: index == 2 }],
            ..Choice::default()
        };
        let mapping = Mapping {
            list: in_list.then(|| List {
                path: FieldPath::default().child(&names[4]),
                plain: None,
                reason: String::new(),
            }),
            event_id: Choice::default(),
            time: field(0, FieldType::Time(TimeNotation::Epoch(3))),
            time_offset_ms: None,
            session: field(2, FieldType::Integer),
            session_within_user: None,
            user: Choice::default(),
            anonymous: None,
            item: field(1, FieldType::Text),
            kinds: Kinds::ByValue {
                choice: field(3, FieldType::Text),
                known: vec![(item.trim().to_owned(), Event::Purchase)],
                unknown: vec![(item.clone(), 1)],
            },
            others: vec![],
        };
        let merged = |fields: [Value; 2]| {
            let fields = fields.into_iter().filter_map(|field| match field {
                Value::Object(fields) => Some(fields),
                _ => None,
            });
            Value::Object(fields.flatten().collect())
        };
        let of_event = merged([nested(&path(0), json!(1_772_359_200_000_i64 + number)), nested(&path(1), json!(item))]);
        let of_record = merged([nested(&path(2), json!(number)), nested(&path(3), json!(item))]);
        let record = match in_list {
            true => merged([of_record, json!({ names[4].as_str(): [of_event, {}] })]),
            false => merged([of_record, of_event]),
        };
        let findings = findings(&[record], Some(mapping));
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let found = runtime.block_on(run(&findings));
        prop_assert_eq!(found, expected(&findings));
    }
}
