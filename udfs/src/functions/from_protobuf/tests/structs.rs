//! Messages that stand for any JSON.

use super::*;

const PROPERTIES: &str = r#"syntax = "proto3";
import "google/protobuf/struct.proto";
message Visit { google.protobuf.Struct props = 1; google.protobuf.ListValue list = 2; google.protobuf.Value one = 3; }
"#;

/// A field with content of a length.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, u8::try_from(content.len()).unwrap()], content].concat()
}

fn number_value(number: f64) -> Vec<u8> {
    [&[2 << 3 | 1][..], &number.to_le_bytes()].concat()
}

fn entry(key: &str, value: &[u8]) -> Vec<u8> {
    field(1, &[field(1, key.as_bytes()), field(2, value)].concat())
}

#[tokio::test]
async fn a_struct_keeps_its_shape_whatever_its_values_are() {
    let nested = field(5, &entry("c", &field(3, b"x")));
    let props = [
        entry("a", &number_value(f64::NAN)),
        entry("b", &number_value(5.0)),
        entry("nested", &nested),
        entry("nothing", &[1 << 3, 0]),
        entry("unset", &[]),
    ]
    .concat();
    let list = [field(1, &number_value(1.5)), field(1, &[4 << 3, 1])].concat();
    let message = [field(1, &props), field(2, &list), field(3, &field(3, b"y"))].concat();
    let schema = Schema::registered("PROTOBUF", PROPERTIES, &[]).unwrap();
    let registry = Stub::new([(ID, schema)]);
    let value = framed_with(ID, &[&[0][..], &message].concat());
    let declared = "b double from $.props.b, c string from $.props.nested.c, props json, list json, one json";
    let rows = call(
        &function(ValueSchemas::Registry(registry)),
        &values(&[value]),
        &[declared],
    )
    .await
    .unwrap();
    assert_eq!(column(&rows, "error"), texts_of(&[None]));
    assert_eq!(column(&rows, "b"), texts_of(&[Some("5.0")]));
    assert_eq!(column(&rows, "c"), texts_of(&[Some("x")]));
    let props = r#"{"a":null,"b":5.0,"nested":{"c":"x"},"nothing":null,"unset":null}"#;
    assert_eq!(column(&rows, "props"), texts_of(&[Some(props)]));
    assert_eq!(column(&rows, "list"), texts_of(&[Some("[1.5,true]")]));
    assert_eq!(column(&rows, "one"), texts_of(&[Some("\"y\"")]));
}
