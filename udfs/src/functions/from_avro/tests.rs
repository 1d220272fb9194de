#![allow(clippy::unwrap_used)]

mod direct;

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BinaryArray, StructArray};
use datafusion::common::{Result, ScalarValue};
use futures::executor::block_on;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::functions::by_schema::ValueSchemas;
use crate::functions::by_schema::testing::{Stub, bytes, call, column, framed_with, header_rows, texts_of};

/// A schema of clicks, and the first three records of a producer that used it.
const CLICK: &str = r#"{
    "type": "record", "name": "Click", "namespace": "org.example.shop",
    "fields": [
        {"name": "event_id", "type": "string"},
        {"name": "ts", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "session_id", "type": ["null", "string"], "default": null},
        {"name": "user_id", "type": ["null", "long"], "default": null},
        {"name": "item_id", "type": "string"},
        {"name": "event_type",
         "type": {"type": "enum", "name": "Kind", "symbols": ["VIEW", "ADD_TO_CART", "PURCHASE"]}},
        {"name": "price", "type": ["null", "double"], "default": null}
    ]
}"#;
const CLICKS: [&str; 3] = [
    "00000186a104653080b4b98d95670002d8040c70726f645f300000",
    "00000186a1046531c0ecbb8d95670204733002d8040c70726f645f3100027b14ae47e1fa2340",
    "00000186a104653280a5be8d95670204733002d8040c70726f645f320200",
];
const ID: u32 = 100_001;
const COLUMNS_OF_CLICKS: &str = "event_id string, at timestamp from $.ts, session_id string, user_id bigint, \
                                 item_id string, event_type string, price double";

fn clicks() -> Vec<Vec<u8>> {
    CLICKS.iter().map(|click| bytes(click)).collect()
}

/// A number as Avro writes it.
fn number(n: i64) -> Vec<u8> {
    let mut left = (n.cast_unsigned() << 1) ^ (n >> 63).cast_unsigned();
    let mut bytes = vec![];
    while left > 0x7f {
        bytes.push((left & 0x7f) as u8 | 0x80);
        left >>= 7;
    }
    bytes.push(left as u8);
    bytes
}

fn text(text: &str) -> Vec<u8> {
    [number(i64::try_from(text.len()).unwrap()), text.as_bytes().to_vec()].concat()
}

fn avro(schema: &str) -> Schema {
    Schema::Avro(schema.into())
}

fn registry(schemas: impl IntoIterator<Item = (u32, &'static str)>) -> Arc<Stub> {
    Stub::new(schemas.into_iter().map(|(id, schema)| (id, avro(schema))))
}

fn function(schemas: ValueSchemas) -> DecodeFunction {
    DecodeFunction::new(&Avro, BTreeMap::from([("clicks".to_owned(), schemas)]))
}

async fn decoded_with(schemas: ValueSchemas, columns: &str, values: &[Vec<u8>]) -> Result<StructArray> {
    let values: ArrayRef = Arc::new(BinaryArray::from_iter_values(values));
    call(&function(schemas), &[values], &[columns]).await
}

#[tokio::test]
async fn records_of_a_producer_have_their_values() {
    let stub = registry([(ID, CLICK)]);
    let rows = decoded_with(ValueSchemas::Registry(stub.clone()), COLUMNS_OF_CLICKS, &clicks())
        .await
        .unwrap();
    for (name, expected) in [
        ("event_id", [Some("e0"), Some("e1"), Some("e2")]),
        (
            "at",
            [
                Some("2026-03-01T10:00:00Z"),
                Some("2026-03-01T10:00:20Z"),
                Some("2026-03-01T10:00:40Z"),
            ],
        ),
        ("session_id", [None, Some("s0"), Some("s0")]),
        ("user_id", [Some("300"), Some("300"), Some("300")]),
        ("event_type", [Some("VIEW"), Some("VIEW"), Some("ADD_TO_CART")]),
        ("price", [None, Some("9.99"), None]),
        ("error", [None, None, None]),
    ] {
        assert_eq!(column(&rows, name), texts_of(&expected), "{name}");
    }
    assert_eq!(stub.requested(), [ID], "once for the batch");
}

#[tokio::test]
async fn a_broken_record_loses_only_itself_wherever_it_is() {
    let good = bytes(CLICKS[1]);
    let broken: [Vec<u8>; 6] = [
        good[..good.len() - 1].to_vec(),
        good[..7].to_vec(),
        [&good[..], b"\0"].concat(),
        // Followed by a whole second record.
        [&good[..], &good[5..]].concat(),
        framed_with(ID, b""),
        // A text that is not UTF-8.
        framed_with(ID, &[&number(2)[..], b"\xff\xfe", &good[8..]].concat()),
    ];
    for (case, broken) in broken.iter().enumerate() {
        for place in [0, 1, 8, 16] {
            let mut values = vec![good.clone(); 17];
            values[place].clone_from(broken);
            let stub = registry([(ID, CLICK)]);
            let rows = decoded_with(ValueSchemas::Registry(stub), COLUMNS_OF_CLICKS, &values)
                .await
                .unwrap();
            let mut items = vec![Some("prod_1"); 17];
            let mut errors = vec![None; 17];
            items[place] = None;
            errors[place] = Some("not a record of schema ID 100001");
            assert_eq!(column(&rows, "item_id"), texts_of(&items), "case {case} at {place}");
            assert_eq!(column(&rows, "error"), texts_of(&errors), "case {case} at {place}");
        }
    }
}

#[tokio::test]
async fn values_that_are_not_avro_have_a_reason() {
    let json = br#" {"item_id":"a"}"#;
    let values: ArrayRef = Arc::new(BinaryArray::from(vec![
        None,
        Some(&b""[..]),
        Some(&json[..]),
        Some(&b"\0\0\x01"[..]),
        Some(&b"Obj\x01"[..]),
        Some(&b"\0\0\0\0\x07abc"[..]),
    ]));
    let stub = registry([(ID, CLICK)]);
    let rows = call(&function(ValueSchemas::Registry(stub)), &[values], &["item_id string"])
        .await
        .unwrap();
    let reasons = [
        "no value (a tombstone)",
        "empty",
        "not Avro: JSON, without a schema ID",
        "not Avro: cut off in the schema ID",
        "not Avro: does not begin with a schema ID",
        "schema ID 7 is not in the registry",
    ];
    assert_eq!(column(&rows, "error"), texts_of(&reasons.map(Some)));
    assert_eq!(column(&rows, "item_id"), texts_of(&[None; 6]));
}

#[tokio::test]
async fn a_new_version_of_the_schema_may_come_at_any_time() {
    const OLD: &str = r#"{"type":"record","name":"Click","fields":[
        {"name":"item_id","type":"string"},{"name":"amount","type":"int"}]}"#;
    const NEW: &str = r#"{"type":"record","name":"Click","fields":[
        {"name":"amount","type":"long"},{"name":"coupon","type":["null","string"]},
        {"name":"item_id","type":"string"}]}"#;
    let old = |item: &str| framed_with(1, &[text(item), number(-3)].concat());
    let new = |item: &str| framed_with(2, &[number(5_000_000_000), number(1), text("X"), text(item)].concat());
    let stub = registry([(1, OLD), (2, NEW)]);
    let values = [old("a"), new("b"), old("c"), new("d"), framed_with(3, b"")];
    let rows = decoded_with(
        ValueSchemas::Registry(stub.clone()),
        "item_id string, amount bigint, coupon string",
        &values,
    )
    .await
    .unwrap();
    for (name, expected) in [
        ("item_id", [Some("a"), Some("b"), Some("c"), Some("d"), None]),
        (
            "amount",
            [Some("-3"), Some("5000000000"), Some("-3"), Some("5000000000"), None],
        ),
        ("coupon", [None, Some("X"), None, Some("X"), None]),
        (
            "error",
            [None, None, None, None, Some("schema ID 3 is not in the registry")],
        ),
    ] {
        assert_eq!(column(&rows, name), texts_of(&expected), "{name}");
    }
    assert_eq!(stub.requested(), [1, 2, 3]);
}

#[tokio::test]
async fn policies_and_nested_types_are_those_of_from_json() {
    const ORDER: &str = r#"{"type":"record","name":"Order","fields":[
        {"name":"id","type":"long"},
        {"name":"lines","type":{"type":"array","items":{"type":"record","name":"Line","fields":[
            {"name":"item","type":"string"},
            {"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":10,"scale":2}}]}}},
        {"name":"tags","type":{"type":"map","values":"int"}},
        {"name":"day","type":{"type":"int","logicalType":"date"}}]}"#;
    let lines = [number(1), text("a"), number(2), vec![0x07, 0xc6], number(0)];
    let tags = [number(1), text("t"), number(4), number(0)];
    let order = [vec![number(12)], lines.to_vec(), tags.to_vec(), vec![number(20_513)]].concat();
    let values: ArrayRef = Arc::new(BinaryArray::from_iter_values([order.concat()]));
    let one = || ValueSchemas::One(avro(ORDER));
    let columns = "id string, lines struct(item string, price decimal(10, 2))[], tags map(string, bigint), day date, \
                   extra rest";
    let refused = call(&function(one()), std::slice::from_ref(&values), &[columns])
        .await
        .unwrap();
    assert_eq!(
        column(&refused, "error"),
        texts_of(&[Some("id: expected string, found number")])
    );
    let rows = call(&function(one()), std::slice::from_ref(&values), &[columns, "evolve"])
        .await
        .unwrap();
    assert_eq!(column(&rows, "id"), texts_of(&[Some("12")]));
    assert_eq!(column(&rows, "day"), texts_of(&[Some("2026-03-01")]));
    assert_eq!(column(&rows, "error"), texts_of(&[None]));
    let rows = call(&function(one()), &[values], &["lines json, tags json, id bigint"])
        .await
        .unwrap();
    assert_eq!(
        column(&rows, "lines"),
        texts_of(&[Some(r#"[{"item":"a","price":19.90}]"#)])
    );
    assert_eq!(column(&rows, "tags"), texts_of(&[Some(r#"{"t":4}"#)]));
}

#[tokio::test]
async fn a_registry_that_does_not_answer_fails_the_query() {
    let stub = registry([(ID, CLICK)]);
    let values = [bytes(CLICKS[0]), framed_with(13, b"a")];
    let error = decoded_with(ValueSchemas::Registry(stub), "item_id string", &values)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("the registry is down"), "{error}");
}

#[test]
fn a_source_is_named_if_there_are_several() {
    let one = |schema: &str| ValueSchemas::One(avro(schema));
    let sources = |sources: &[(&str, &str)]| {
        let sources = sources.iter().map(|(name, schema)| ((*name).to_owned(), one(schema)));
        DecodeFunction::new(&Avro, sources.collect())
    };
    let name = |name: &str| ScalarValue::from(name);
    let found = |function: &DecodeFunction, argument: Option<Option<&ScalarValue>>| {
        let found = function.schemas_of(argument, 3).cloned();
        found.map_err(|error| error.to_string())
    };
    let none = found(&sources(&[]), None).unwrap_err();
    assert!(
        none.contains("no source has schemas") && none.contains("schema_registry: { url"),
        "{none}"
    );
    assert_eq!(found(&sources(&[("a", "1"), ("b", "1")]), None).unwrap(), one("1"));
    let several = sources(&[("a", "1"), ("b", "2")]);
    let ambiguous = found(&several, None).unwrap_err();
    assert!(ambiguous.contains("the sources are a, b"), "{ambiguous}");
    assert_eq!(found(&several, Some(Some(&name("b")))).unwrap(), one("2"));
    let unknown = found(&several, Some(Some(&name("c")))).unwrap_err();
    assert!(unknown.contains("source `c` has neither"), "{unknown}");
    assert!(found(&several, Some(None)).unwrap_err().contains("fourth argument"));
}

#[tokio::test]
async fn values_without_a_schema_id_have_it_in_a_header() {
    let stub = registry([(ID, CLICK)]);
    let framed = bytes(CLICKS[1]);
    let (frame, bare) = framed.split_at(5);
    let values: ArrayRef = Arc::new(BinaryArray::from_iter_values([bare, &framed, bare, bare, bare]));
    let id = |bytes: &[u8]| ("__value_schema_id", bytes.to_vec());
    let headers = header_rows(&[
        Some(vec![("trace", b"x".to_vec()), id(frame)]),
        Some(vec![("trace", b"x".to_vec())]),
        None,
        Some(vec![id(b"\x02")]),
        Some(vec![id(b"\0\0\0\0\x07")]),
    ]);
    let function = function(ValueSchemas::Registry(stub));
    let rows = call(
        &function,
        &[values.clone(), headers.clone()],
        &["item_id string", "evolve"],
    )
    .await
    .unwrap();
    let items = [Some("prod_1"), Some("prod_1"), None, None, None];
    assert_eq!(column(&rows, "item_id"), texts_of(&items));
    let errors = [
        None,
        None,
        Some("not Avro: does not begin with a schema ID"),
        Some("not Avro: the header has no schema ID"),
        Some("schema ID 7 is not in the registry"),
    ];
    assert_eq!(column(&rows, "error"), texts_of(&errors));
    let error = call(&function, &[values, headers], &["item_id string", "other"])
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("the fourth argument must be 'quarantine'"),
        "{error}"
    );
}

#[tokio::test]
async fn values_that_only_look_like_avro_do_not_keep_the_registry_busy() {
    let stub = registry([(ID, CLICK)]);
    let mut values: Vec<Vec<u8>> = (20..2_020).map(|id| framed_with(id, b"?")).collect();
    values.extend(clicks());
    let rows = decoded_with(ValueSchemas::Registry(stub.clone()), "item_id string", &values)
        .await
        .unwrap();
    let requested = stub.requested();
    assert!(requested.contains(&ID) && requested.len() < 300, "{}", requested.len());
    let errors = column(&rows, "error");
    let not_requested = errors
        .iter()
        .flatten()
        .filter(|error| error.contains("was not requested"));
    assert_eq!(not_requested.count(), 2_001 - requested.len());
    assert_eq!(errors[2_000..], texts_of(&[None; 3]));
}

#[test]
fn a_schema_of_another_format_is_no_schema_of_a_source() {
    let schemas = [("a", avro("1")), ("b", Schema::Json)];
    let schemas = schemas.map(|(name, schema)| (name.to_owned(), ValueSchemas::One(schema)));
    let function = DecodeFunction::new(&Avro, BTreeMap::from(schemas));
    assert_eq!(*function.schemas_of(None, 3).unwrap(), ValueSchemas::One(avro("1")));
}

#[test]
fn schemas_are_checked() {
    check_avro_schema(CLICK).unwrap();
    for schema in ["", "{}", "\"string\"", r#"{"type":"record","name":"A"}"#] {
        check_avro_schema(schema).unwrap_err();
    }
    // Refers to itself.
    let list = r#"{"type":"record","name":"L","fields":[{"name":"next","type":["null","L"]}]}"#;
    check_avro_schema(list).unwrap_err();
}

proptest! {
    #[test]
    fn any_bytes_give_a_row_and_harm_no_other(
        noise in vec(any::<u8>(), 0..40), place in 0..CLICKS.len()
    ) {
        let mut values = clicks();
        values.insert(place, framed_with(ID, &noise));
        let stub = registry([(ID, CLICK)]);
        let rows = block_on(decoded_with(ValueSchemas::Registry(stub), COLUMNS_OF_CLICKS, &values)).unwrap();
        let mut events = column(&rows, "event_id");
        events.remove(place);
        prop_assert_eq!(events, texts_of(&[Some("e0"), Some("e1"), Some("e2")]));
    }
}
