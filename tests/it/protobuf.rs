//! Protobuf with the ID of a schema, as Kafka clients with a schema registry write it.

use std::fs;

use clickrec::sources::kafka::EmbeddedBroker;
use serde_json::json;

use crate::registry::{Registry, framed, send, shop_of};

/// 1 March 2026, 10:00 UTC, in seconds since 1970.
const START: u64 = 1_772_359_200;
/// The IDs of schemas.
const OLD: u32 = 1;
const NEW: u32 = 2;
const AVRO: u32 = 3;
const UNKNOWN: u32 = 9;
const KIND: &str = "syntax = \"proto3\"; package shop; enum Kind { view = 0; add_to_cart = 1; purchase = 2; }";

/// A schema of clicks, which stand second in the file; the new version has a coupon.
fn schema(has_coupon: bool) -> String {
    let coupon = if has_coupon { "optional string coupon = 7;" } else { "" };
    format!(
        "syntax = \"proto3\";
         package shop;
         import \"google/protobuf/timestamp.proto\";
         import \"shop/kind.proto\";
         message Page {{ string url = 1; }}
         message Click {{
           string event_id = 1;
           google.protobuf.Timestamp timestamp = 2;
           string session_id = 3;
           optional string user_id = 4;
           string item_id = 5;
           Kind event_type = 6;
           {coupon}
         }}"
    )
}

fn number(mut n: u64) -> Vec<u8> {
    let mut bytes = vec![];
    while n > 0x7f {
        bytes.push((n & 0x7f) as u8 | 0x80);
        n >>= 7;
    }
    bytes.push(n as u8);
    bytes
}

fn field(place: u8, bytes: &[u8]) -> Vec<u8> {
    [&[(place << 3) | 2][..], &number(bytes.len() as u64), bytes].concat()
}

/// A click in the session `s1`, without anything before it.
fn message(n: u64, has_coupon: bool) -> Vec<u8> {
    let at = [vec![8], number(START + n)].concat();
    let mut message = [
        field(1, format!("e{n}").as_bytes()),
        field(2, &at),
        field(3, b"s1"),
        field(5, format!("item_{}", n % 5).as_bytes()),
        vec![6 << 3, (n % 3) as u8],
    ]
    .concat();
    if has_coupon {
        message.extend(field(7, b"X"));
    }
    message
}

fn click(id: u32, n: u64) -> Vec<u8> {
    // The place of the message: one number, which is 1.
    framed(id, &[&[2, 2][..], &message(n, id == NEW)].concat())
}

#[test]
fn protobuf_reaches_silver_and_what_cannot_be_decoded_has_a_reason() {
    let registry = Registry::start(&[(
        AVRO,
        r#"{"type":"record","name":"A","fields":[{"name":"a","type":"string"}]}"#,
    )]);
    registry.answer_subject("kind", json!({ "schema": KIND, "schemaType": "PROTOBUF" }));
    let references = json!([{ "name": "shop/kind.proto", "subject": "kind", "version": 1 }]);
    for (id, has_coupon) in [(OLD, false), (NEW, true)] {
        registry.answer(
            id,
            json!({ "schema": schema(has_coupon), "schemaType": "PROTOBUF", "references": references }),
        );
    }
    let broker = EmbeddedBroker::start("clickstream", 2).unwrap();
    let mut shop = shop_of(
        &broker.brokers(),
        ", schema_registry: { url: \"http://127.0.0.1:1, ${REGISTRY}\" }",
    );
    shop.edit("sql/silver/clicks.sql", "from_json(", "from_protobuf(");
    shop.set("REGISTRY", &registry.url);
    // The producer is updated in the middle, and delivers the first message twice.
    let mut values: Vec<Vec<u8>> = (0..40).map(|n| click(if n < 20 { OLD } else { NEW }, n)).collect();
    values.push(click(OLD, 0));
    values.push(click(OLD, 40)[..14].to_vec());
    values.push(br#"{"item_id":"a"}"#.to_vec());
    values.push(framed(AVRO, b"a"));
    values.push(click(UNKNOWN, 42));
    send(&broker, values);
    shop.ok(&["run"]);
    assert_eq!(registry.take_requests(), [OLD, NEW, AVRO, UNKNOWN], "once each");
    assert_eq!(shop.records_of_last_run(), [45, 40, 1, 4, 0]);
    shop.assert_nothing_lost(45);
    let found = shop.results(
        &[],
        &[
            "select reason, count(*) from silver.quarantine group by reason order by reason",
            "select count(*) from silver.events where extra = '{\"coupon\":\"X\"}'",
            "select count(*) from silver.events where extra is null and user_id is null",
            "select event_type, count(*) from silver.events group by event_type order by event_type",
            "select min(event_at), count(distinct event_at), count(distinct item_id) from silver.events",
        ],
    );
    assert_eq!(
        found[0],
        [
            "\"not Protobuf: JSON, without a schema ID\",1",
            "not a message of schema ID 1,1",
            "\"schema ID 3 is AVRO, not PROTOBUF: read it with from_avro\",1",
            "schema ID 9 is not in the registry,1",
        ]
    );
    assert_eq!(found[1..3], [["20"], ["20"]]);
    assert_eq!(found[3], ["add_to_cart,13", "purchase,13", "view,14"]);
    assert!(
        found[4][0].starts_with("2026-03-01T10:00:00") && found[4][0].ends_with(",40,5"),
        "{:?}",
        found[4]
    );
}

#[test]
fn messages_without_an_id_have_the_schema_of_a_file() {
    let broker = EmbeddedBroker::start("clickstream", 2).unwrap();
    let shop = shop_of(
        &broker.brokers(),
        ", schema: protos/shop/click.proto, message: shop.Click",
    );
    shop.edit("sql/silver/clicks.sql", "from_json(", "from_protobuf(");
    fs::create_dir_all(shop.path("protos/shop")).unwrap();
    fs::write(shop.path("protos/shop/click.proto"), schema(false)).unwrap();
    fs::write(shop.path("protos/shop/kind.proto"), KIND).unwrap();
    let mut values: Vec<Vec<u8>> = (0..20).map(|n| message(n, false)).collect();
    values.push(message(20, false)[..9].to_vec());
    send(&broker, values);
    shop.ok(&["run"]);
    shop.assert_nothing_lost(21);
    assert_eq!(
        shop.rows("select reason, count(*) from silver.quarantine group by reason"),
        ["not a message of the schema,1"]
    );
}
