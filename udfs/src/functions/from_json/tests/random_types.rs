//! Values of any type, in records of any shape.

use chrono::{DateTime, Days, NaiveDate};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{Fields, Schema};
use datafusion::arrow::json::ReaderBuilder;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::properties::json_value;
use super::*;
use crate::functions::columns::{Kind, Step};

/// A type that both readers know.
fn kind() -> impl Strategy<Value = Kind> {
    let plain = select(vec![
        Kind::String,
        Kind::BigInt,
        Kind::Int,
        Kind::Double,
        Kind::Float,
        Kind::Boolean,
        Kind::Decimal(10, 2),
        Kind::Timestamp(vec![]),
        Kind::Date(vec![]),
    ]);
    plain.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|items| Kind::List(Box::new(items))),
            inner.clone().prop_map(|values| Kind::Map(Box::new(values))),
            vec(inner, 1..4).prop_map(|kinds| Kind::Struct(columns_of(kinds))),
        ]
    })
}

fn columns_of(kinds: Vec<Kind>) -> Vec<Column> {
    let column = |(number, kind): (usize, Kind)| {
        let name = format!("f{number}");
        Column {
            path: vec![Step::Name(name.clone())],
            name,
            kind,
        }
    };
    kinds.into_iter().enumerate().map(column).collect()
}

/// A value of a type, or null.
fn value(kind: &Kind) -> BoxedStrategy<String> {
    let value = match kind {
        Kind::BigInt => any::<i64>().prop_map(|number| number.to_string()).boxed(),
        Kind::Int => any::<i32>().prop_map(|number| number.to_string()).boxed(),
        Kind::Double | Kind::Float => any::<i16>()
            .prop_map(|number| (f64::from(number) / 8.0).to_string())
            .boxed(),
        Kind::Boolean => any::<bool>().prop_map(|value| value.to_string()).boxed(),
        Kind::Decimal(..) => (select(vec!["", "-"]), 0..9_999_999_999_u64)
            .prop_map(|(sign, cents)| format!("{sign}{}.{:02}", cents / 100, cents % 100))
            .boxed(),
        Kind::Timestamp(_) => (0..4_000_000_000_i64)
            .prop_map(|seconds| format!("\"{}\"", DateTime::from_timestamp(seconds, 0).unwrap().to_rfc3339()))
            .boxed(),
        Kind::Date(_) => (0..40_000_u64)
            .prop_map(|days| {
                format!(
                    "\"{}\"",
                    NaiveDate::default().checked_add_days(Days::new(days)).unwrap()
                )
            })
            .boxed(),
        Kind::List(items) => vec(value(items), 0..4)
            .prop_map(|items| format!("[{}]", items.join(" ,\n")))
            .boxed(),
        Kind::Map(values) => vec(value(values), 0..4)
            .prop_map(|values| {
                let entries = values.iter().enumerate();
                let entries: Vec<String> = entries
                    .map(|(key, value)| format!("\"k\\u00e9{key}\": {value}"))
                    .collect();
                format!("{{{}}}", entries.join(","))
            })
            .boxed(),
        Kind::Struct(columns) => object(columns),
        _ => any::<String>()
            .prop_map(|text| serde_json::to_string(&text).unwrap())
            .boxed(),
    };
    prop_oneof![9 => value, 1 => Just("null".to_owned())].boxed()
}

/// An object with these fields in any order; some are missing, and there are others.
fn object(columns: &[Column]) -> BoxedStrategy<String> {
    let field = |column: &Column| {
        let name = column.name.clone();
        let value = proptest::option::weighted(0.9, value(&column.kind));
        value
            .prop_map(move |value| value.map(|value| format!("\"{name}\" : {value}")))
            .boxed()
    };
    let fields: Vec<_> = columns.iter().map(field).collect();
    let others = vec![
        "\"u\":1e3",
        "\"u\":[1,{\"f0\":null}]",
        "\"v\":{\"f0\":true}",
        "\"f\":\"\\\"\"",
    ];
    (fields, vec(select(others), 0..3))
        .prop_map(|(fields, others)| {
            let others = others.into_iter().map(str::to_owned);
            fields.into_iter().flatten().chain(others).collect::<Vec<String>>()
        })
        .prop_shuffle()
        .prop_map(|fields| format!("{{ {}}}", fields.join(" , ")))
        .boxed()
}

/// Columns, and records of them.
fn records() -> impl Strategy<Value = (Vec<Column>, Vec<String>)> {
    let columns = vec(kind(), 1..4).prop_map(columns_of);
    columns.prop_flat_map(|columns| {
        let records = vec(object(&columns), 1..4);
        (Just(columns), records)
    })
}

fn read(columns: &[Column], records: &[String]) -> StructArray {
    let values = records.iter().map(|record| Some(record.as_bytes())).collect();
    parse_columns(columns.to_vec(), values, Policy::Quarantine)
}

fn read_by_arrow(columns: &[Column], records: &[String]) -> RecordBatch {
    let fields: Fields = columns.iter().map(Column::field).collect();
    let text = records.join("\n");
    let mut batches = ReaderBuilder::new(Arc::new(Schema::new(fields)))
        .build(text.as_bytes())
        .unwrap();
    batches.next().unwrap().unwrap()
}

/// Every kind of column. `other` is read whole, and in part.
const NESTED: &str = "id string, items struct(id string, n bigint[], ok map(string, boolean))[] from $.at, \
                      at timestamp_ms[] from $.n, x decimal(5, 2), ok struct(ok struct(n int), x json), \
                      n date from $.other.n[0], other map(string, json), extra rest";
const GOOD: &str = r#"{"id":"a","at":[{"id":"b","n":[1,null],"ok":{"x":true}},null],"n":[1.5],"x":19.90,"ok":{"ok":{"n":1},
                      "x":{"y":1.0}},"other":{"n":["2026-03-01",2]},"more":1}"#;

proptest! {
    #[test]
    fn values_of_any_type_are_those_that_arrow_reads((columns, records) in records()) {
        let expected = read_by_arrow(&columns, &records);
        let found = read(&columns, &records);
        prop_assert_eq!(found.column_by_name("error").unwrap().null_count(), records.len());
        for (place, column) in columns.iter().enumerate() {
            prop_assert_eq!(found.column(place), expected.column(place), "{:?}", column);
        }

        // A value that does not fit changes nothing but its own column: the other way of reading gives the same.
        let mut more = columns.clone();
        more.extend(columns_of(vec![Kind::Int; more.len() + 1]).pop());
        let wrong = format!(", \"f{}\": \"x\"}}", columns.len());
        let wrong: Vec<String> = records.iter().map(|record| with_end(record, &wrong)).collect();
        let found = read(&more, &wrong);
        prop_assert_eq!(found.column_by_name("error").unwrap().null_count(), 0);
        for (place, column) in columns.iter().enumerate() {
            prop_assert_eq!(found.column(place), expected.column(place), "{:?}", column);
        }
    }

    #[test]
    fn any_value_in_any_column_is_read_or_has_a_reason(
        fields in vec((select(vec!["id", "at", "n", "x", "ok", "other"]), json_value()), 0..6)
    ) {
        let fields: Vec<String> = fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        let sent = format!("{{{}}}", fields.join(","));
        let declared = parse_declaration(NAME, NESTED).unwrap();
        for policy in [Policy::Quarantine, Policy::Evolve] {
            let alone = parse_all(NESTED, vec![Some(GOOD.as_bytes())], policy);
            prop_assert_eq!(cell(&alone, "error"), None);
            let texts = [GOOD, sent.as_str(), GOOD].map(|text| Some(text.as_bytes()));
            let rows = parse_all(NESTED, texts.to_vec(), policy);
            for place in 0..declared.len() {
                prop_assert_eq!(&rows.column(place).slice(0, 1), alone.column(place));
                prop_assert_eq!(&rows.column(place).slice(2, 1), alone.column(place));
            }
            let Some(kind) = cell(&parsed_with(NESTED, &sent, policy), "error") else { continue };
            let fields = ["id", "at", "n", "x", "ok", "other"];
            let is_place = |kind: &str| fields.iter().any(|field| kind.starts_with(*field));
            match kind.strip_prefix("duplicate field `") {
                Some(place) => prop_assert!(is_place(place), "{}", kind),
                None => prop_assert!(policy == Policy::Quarantine && is_place(&kind), "{}", kind),
            }
        }
    }
}

/// An object that ends in another way.
fn with_end(object: &str, end: &str) -> String {
    let start = object.strip_suffix('}').unwrap();
    match start.trim_end() {
        "{" => format!("{{{}", end.trim_start_matches(',')),
        start => format!("{start}{end}"),
    }
}
