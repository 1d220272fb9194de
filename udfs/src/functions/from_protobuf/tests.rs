#![allow(clippy::unwrap_used)]

mod structs;

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BinaryArray, StructArray};
use datafusion::common::Result;
use futures::executor::block_on;
use proptest::collection::vec;
use proptest::prelude::*;
use prost_reflect::prost::Message;
use prost_reflect::{DynamicMessage, MapKey, MessageDescriptor, Value};

use super::*;
use crate::functions::by_schema::testing::{Stub, call, column, framed_with, header_rows, texts_of};
use crate::functions::by_schema::{Reference, ValueSchemas};
use crate::functions::from_protobuf::nesting::NESTING_MAX;

const CLICK: &str = r#"syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
import "shop/item.proto";

message Other { string name = 1; }

message Click {
  string event_id = 1;
  google.protobuf.Timestamp at = 2;
  optional string session_id = 3;
  int64 user_id = 4;
  Kind kind = 5;
  repeated Item items = 6;
  map<string, int32> counts = 7;
  google.protobuf.DoubleValue price = 8;
  double score = 9;
  bytes token = 10;
  Click previous = 11;
  oneof source { string page = 12; uint64 campaign = 13; }

  message Inner { bool yes = 1; }
  enum Kind { VIEW = 0; ADD_TO_CART = 1; }
}
"#;
const ITEM: &str = r#"syntax = "proto3"; package shop; message Item { string item_id = 1; uint32 quantity = 2; }"#;
const ID: u32 = 7;
/// The index of `Click` in its file.
const CLICK_PLACE: &[u8] = &[2, 2];

fn schema() -> Schema {
    let item = Reference {
        name: "shop/item.proto".to_owned(),
        schema: ITEM.to_owned(),
    };
    Schema::registered("PROTOBUF", CLICK, &[item]).unwrap()
}

fn registry() -> Arc<Stub> {
    Stub::new([(ID, schema())])
}

fn function(schemas: ValueSchemas) -> DecodeFunction {
    DecodeFunction::new(&Protobuf, BTreeMap::from([("clicks".to_owned(), schemas)]))
}

async fn decoded(columns: &[ArrayRef], declared: &[&str]) -> Result<StructArray> {
    call(&function(ValueSchemas::Registry(registry())), columns, declared).await
}

fn values(values: &[Vec<u8>]) -> [ArrayRef; 1] {
    [Arc::new(BinaryArray::from_iter_values(values))]
}

fn descriptor() -> MessageDescriptor {
    let Schema::Protobuf(schema) = schema() else {
        panic!("not Protobuf")
    };
    schema.message(CLICK_PLACE, None).unwrap().0
}

fn click(event_id: &str) -> DynamicMessage {
    let mut click = DynamicMessage::new(descriptor());
    click.set_field_by_name("event_id", Value::String(event_id.to_owned()));
    click
}

/// A value with an ID and the index of its message.
fn framed_click(click: &DynamicMessage) -> Vec<u8> {
    framed_with(ID, &[CLICK_PLACE, &click.encode_to_vec()].concat())
}

#[tokio::test]
async fn bytes_on_the_wire_have_their_values() {
    let click = [
        &b"\x0a\x02e1"[..],
        // 1 March 2026, 10:00 UTC, and half a second.
        b"\x12\x0c\x08\xa0\x9c\x90\xcd\x06\x10\x80\xca\xb5\xee\x01",
        b"\x1a\x02s1\x20\xac\x02\x28\x01",
        b"\x32\x06\x0a\x02i1\x10\x03\x32\x04\x0a\x02i2",
        b"\x3a\x05\x0a\x01a\x10\x05",
        b"\x42\x09\x09\0\0\0\0\0\0\x23\x40",
        b"\x49\0\0\0\0\0\0\xf8\x7f",
        b"\x52\x02\xff\0",
        b"\x68\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    ];
    let value = framed_with(ID, &[CLICK_PLACE, &click.concat()].concat());
    let columns = "event_id string, at timestamp, session_id string, user_id bigint, kind string, items json, \
                   second string from $.items[1].item_id, counts map(string, int), price double, score double, \
                   token string, campaign decimal(20, 0), page string, others rest";
    let rows = decoded(&values(&[value]), &[columns]).await.unwrap();
    for (name, expected) in [
        ("event_id", Some("e1")),
        ("at", Some("2026-03-01T10:00:00.500Z")),
        ("session_id", Some("s1")),
        ("user_id", Some("300")),
        ("kind", Some("ADD_TO_CART")),
        (
            "items",
            Some(r#"[{"item_id":"i1","quantity":3},{"item_id":"i2","quantity":0}]"#),
        ),
        ("second", Some("i2")),
        ("price", Some("9.5")),
        ("score", None),
        ("token", Some("ff00")),
        ("campaign", Some("18446744073709551615")),
        ("page", None),
        ("others", None),
        ("error", None),
    ] {
        assert_eq!(column(&rows, name), texts_of(&[expected]), "{name}");
    }
}

#[tokio::test]
async fn fields_without_presence_have_their_default() {
    let empty = framed_with(ID, CLICK_PLACE);
    let columns = "event_id string, user_id bigint, kind string, items json, counts json, score double, \
                   at timestamp, session_id string, price double, page string";
    let rows = decoded(&values(&[empty]), &[columns]).await.unwrap();
    for (name, expected) in [
        ("event_id", Some("")),
        ("user_id", Some("0")),
        ("kind", Some("VIEW")),
        ("items", Some("[]")),
        ("counts", Some("{}")),
        ("score", Some("0.0")),
        ("at", None),
        ("session_id", None),
        ("price", None),
        ("page", None),
        ("error", None),
    ] {
        assert_eq!(column(&rows, name), texts_of(&[expected]), "{name}");
    }
}

#[tokio::test]
async fn the_places_before_a_value_say_which_message_it_is() {
    let in_click = |name: &str| DynamicMessage::new(descriptor().child_messages().find(|m| m.name() == name).unwrap());
    let mut inner = in_click("Inner");
    inner.set_field_by_name("yes", Value::Bool(true));
    let inner = inner.encode_to_vec();
    let rows = decoded(
        &values(&[
            framed_with(ID, b"\0\x0a\x01a"),
            framed_with(ID, b"\x02\0\x0a\x01b"),
            // The second message of the file, and the first one declared in it.
            framed_with(ID, &[&b"\x04\x02\0"[..], &inner].concat()),
            framed_with(ID, b"\x02\x08"),
            framed_with(ID, b"\x01\0"),
            framed_with(ID, b""),
        ]),
        &["name string, yes boolean"],
    )
    .await
    .unwrap();
    assert_eq!(
        column(&rows, "name"),
        texts_of(&[Some("a"), Some("b"), None, None, None, None])
    );
    assert_eq!(
        column(&rows, "yes"),
        texts_of(&[None, None, Some("true"), None, None, None])
    );
    let broken = Some("not a message of schema ID 7");
    assert_eq!(
        column(&rows, "error"),
        texts_of(&[None, None, None, broken, broken, broken])
    );
}

#[tokio::test]
async fn a_header_has_the_id_and_the_places() {
    let bare = click("e1").encode_to_vec();
    let guid = [&[1_u8][..], &[0; 12], &ID.to_be_bytes()].concat();
    let id = |places: &[u8]| Some(vec![("__value_schema_id", [&guid[..], places].concat())]);
    let headers = header_rows(&[id(CLICK_PLACE), id(b"\0"), id(b"\x02"), id(b"\0\0"), None]);
    let values: ArrayRef = Arc::new(BinaryArray::from_iter_values([&bare, &bare, &bare, &bare, &bare]));
    let rows = decoded(&[values, headers], &["event_id string, name string"])
        .await
        .unwrap();
    assert_eq!(
        column(&rows, "event_id"),
        texts_of(&[Some("e1"), None, None, None, None])
    );
    assert_eq!(column(&rows, "name"), texts_of(&[None, Some("e1"), None, None, None]));
    let broken = Some("not a message of schema GUID 00000000-0000-0000-0000-000000000007");
    let frame = Some("not Protobuf: does not begin with a schema ID");
    assert_eq!(column(&rows, "error"), texts_of(&[None, None, broken, broken, frame]));
}

#[tokio::test]
async fn a_broken_message_loses_only_itself() {
    let good = framed_click(&click("e1"));
    let broken = [
        good[..good.len() - 1].to_vec(),
        [&good[..], b"\x07"].concat(),
        framed_with(ID, b"\x02\x02\x0a\x01\xff"),
    ];
    for broken in broken {
        let rows = decoded(&values(&[good.clone(), broken, good.clone()]), &["event_id string"])
            .await
            .unwrap();
        assert_eq!(column(&rows, "event_id"), texts_of(&[Some("e1"), None, Some("e1")]));
        assert_eq!(
            column(&rows, "error"),
            texts_of(&[None, Some("not a message of schema ID 7"), None])
        );
    }
}

#[tokio::test]
async fn what_nests_too_deep_is_a_reason() {
    let mut deep = click("e0");
    for level in 1..=NESTING_MAX {
        let mut outer = click(&format!("e{level}"));
        outer.set_field_by_name("previous", Value::Message(deep));
        deep = outer;
    }
    let most = framed_click(&deep);
    let mut deeper = click("outer");
    deeper.set_field_by_name("previous", Value::Message(deep));
    // Groups that nobody knows, and messages that claim to be shorter than what is in them.
    let groups = [0xa3_u8, 0x01].repeat(500_000);
    let lies = [0x5a_u8, 0x02].repeat(500_000);
    let body = |bytes: &[u8]| framed_with(ID, &[CLICK_PLACE, bytes].concat());
    let rows = decoded(
        &values(&[most, framed_click(&deeper), body(&groups), body(&lies)]),
        &["event_id string, inner string from $.previous.previous.event_id"],
    )
    .await
    .unwrap();
    let deepest = format!("e{}", NESTING_MAX - 2);
    assert_eq!(
        column(&rows, "inner"),
        texts_of(&[Some(deepest.as_str()), None, None, None])
    );
    let too_deep = format!("nested more than {NESTING_MAX} deep");
    let errors = column(&rows, "error");
    assert_eq!(
        errors[..3],
        texts_of(&[None, Some(too_deep.as_str()), Some(too_deep.as_str())])
    );
    assert_eq!(errors[3].as_deref(), Some("not a message of schema ID 7"));
}

#[tokio::test]
async fn a_time_without_a_text_loses_only_its_column() {
    // Seconds beyond the year 9999.
    let value = b"\x0a\x02e1\x12\x07\x08\xff\xff\xff\xff\xff\x7f";
    let value = framed_with(ID, &[CLICK_PLACE, value].concat());
    let rows = decoded(&values(&[value]), &["event_id string, at timestamp"])
        .await
        .unwrap();
    assert_eq!(column(&rows, "event_id"), texts_of(&[Some("e1")]));
    assert_eq!(
        column(&rows, "error"),
        texts_of(&[Some("at: expected timestamp, found object")])
    );
}

#[tokio::test]
async fn a_schema_of_another_format_is_a_reason() {
    let avro = Schema::Avro("{}".into());
    let function = function(ValueSchemas::Registry(Stub::new([(1, avro), (2, Schema::Json)])));
    let values = values(&[framed_with(1, b"a"), framed_with(2, b"{}"), b"{}".to_vec()]);
    let rows = call(&function, &values, &["a string"]).await.unwrap();
    let reasons = [
        "schema ID 1 is AVRO, not PROTOBUF: read it with from_avro",
        "schema ID 2 is JSON, not PROTOBUF: read it with from_json",
        "not Protobuf: JSON, without a schema ID",
    ];
    assert_eq!(column(&rows, "error"), texts_of(&reasons.map(Some)));
}

#[test]
fn schemas_are_compiled_with_what_they_import() {
    let registered = |text: &str| Schema::registered("PROTOBUF", text, &[]);
    let missing = registered(CLICK).unwrap_err();
    assert!(missing.contains("shop/item.proto"), "{missing}");
    let syntax = registered("syntax = \"proto3\"; message {}").unwrap_err();
    assert!(syntax.contains(":1:"), "{syntax}");
    assert_eq!(registered("syntax = \"proto3\";").unwrap_err(), "it has no message");
    let deep = format!(
        "syntax = \"proto3\"; /* don't */ message A {{}} option (o) = {{ {}{} }};",
        "m {".repeat(100_000),
        "}".repeat(100_000)
    );
    assert_eq!(registered(&deep).unwrap_err(), "it nests more than 100 deep");
    registered(
        "syntax = \"proto3\"; import \"confluent/meta.proto\"; import \"confluent/type/decimal.proto\"; \
         message A { confluent.type.Decimal price = 1 [(confluent.field_meta).doc = \"in euros\"]; }",
    )
    .unwrap();
    assert_eq!(schema(), schema());
}

#[tokio::test]
async fn a_file_describes_messages_without_an_id() {
    let root = std::env::temp_dir().join(format!("clickrec-protobuf-{}", std::process::id()));
    fs::create_dir_all(root.join("shop")).unwrap();
    let file = root.join("shop/click.proto");
    fs::write(&file, CLICK).unwrap();
    fs::write(root.join("shop/item.proto"), ITEM).unwrap();
    let of = |message: &str| ProtobufSchema::of_file(&file, &root, message);
    let error = of("shop.Purchase").unwrap_err();
    assert!(
        error.contains("its messages are") && error.contains("shop.Click"),
        "{error}"
    );
    let compiled = root.join("click.desc");
    fs::write(&compiled, descriptor().parent_pool().encode_to_vec()).unwrap();
    let of_set = ProtobufSchema::of_file(&compiled, &root, "shop.Click").unwrap();
    for schema in [of("shop.Click").unwrap(), of_set] {
        assert_eq!(schema.message(b"", None).unwrap().0.full_name(), "shop.Click");
        let function = function(ValueSchemas::One(Schema::Protobuf(schema)));
        let values = values(&[click("e1").encode_to_vec(), vec![], b"\x0a".to_vec()]);
        let rows = call(&function, &values, &["event_id string"]).await.unwrap();
        assert_eq!(column(&rows, "event_id"), texts_of(&[Some("e1"), Some(""), None]));
        assert_eq!(
            column(&rows, "error"),
            texts_of(&[None, None, Some("not a message of the schema")])
        );
    }
    fs::write(&compiled, b"\xff").unwrap();
    ProtobufSchema::of_file(&compiled, &root, "shop.Click").unwrap_err();
    fs::remove_dir_all(&root).unwrap();
}

type AnyClick = (String, i64, i32, Vec<(String, u32)>, BTreeMap<String, i32>);

fn any_click() -> impl Strategy<Value = AnyClick> {
    let items = vec(("[a-z]{0,4}", any::<u32>()), 0..4);
    let counts = proptest::collection::btree_map("[a-z\"\\\\]{0,3}", any::<i32>(), 0..4);
    (".{0,8}", any::<i64>(), any::<i32>(), items, counts)
}

proptest! {
    #[test]
    fn any_bytes_give_a_row_and_harm_no_other(noise in vec(any::<u8>(), 0..60), is_placed in any::<bool>()) {
        let noise = if is_placed { [CLICK_PLACE, &noise].concat() } else { noise };
        let good = framed_click(&click("e1"));
        let values = values(&[good.clone(), framed_with(ID, &noise), good]);
        let rows = block_on(decoded(&values, &["event_id string, all rest"])).unwrap();
        let events = column(&rows, "event_id");
        prop_assert_eq!((events[0].as_deref(), events[2].as_deref()), (Some("e1"), Some("e1")));
    }

    #[test]
    fn messages_have_the_values_that_were_set((event_id, user_id, kind, items, counts) in any_click()) {
        let mut message = click(&event_id);
        message.set_field_by_name("user_id", Value::I64(user_id));
        message.set_field_by_name("kind", Value::EnumNumber(kind));
        let item = descriptor().get_field_by_name("items").unwrap().kind();
        let item = item.as_message().unwrap();
        let list = items.iter().map(|(item_id, quantity)| {
            let mut message = DynamicMessage::new(item.clone());
            message.set_field_by_name("item_id", Value::String(item_id.clone()));
            message.set_field_by_name("quantity", Value::U32(*quantity));
            Value::Message(message)
        });
        message.set_field_by_name("items", Value::List(list.collect()));
        let map = counts.iter().map(|(key, count)| (MapKey::String(key.clone()), Value::I32(*count)));
        message.set_field_by_name("counts", Value::Map(map.collect()));
        let columns = "event_id string, user_id bigint, kind json, items json, counts json";
        let rows = block_on(decoded(&values(&[framed_click(&message)]), &[columns])).unwrap();
        prop_assert_eq!(column(&rows, "error"), texts_of(&[None]));
        prop_assert_eq!(column(&rows, "event_id"), texts_of(&[Some(event_id.as_str())]));
        prop_assert_eq!(column(&rows, "user_id"), texts_of(&[Some(user_id.to_string().as_str())]));
        let json = |name: &str| -> serde_json::Value {
            let texts = column(&rows, name);
            serde_json::from_str(texts[0].as_ref().unwrap()).unwrap()
        };
        let named = match kind {
            0 => "VIEW".into(),
            1 => "ADD_TO_CART".into(),
            other => serde_json::Value::from(other),
        };
        prop_assert_eq!(json("kind"), named);
        let objects = items.iter().map(|(id, n)| serde_json::json!({ "item_id": id, "quantity": n }));
        prop_assert_eq!(json("items"), serde_json::Value::from_iter(objects));
        prop_assert_eq!(json("counts"), serde_json::json!(counts));
    }
}
