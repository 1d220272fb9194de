//! Avro and JSON with the ID of a schema, as Kafka clients with a schema registry write them.

use std::fs;

use clickrec::sources::kafka::EmbeddedBroker;
use serde_json::json;

use crate::clustering::Cluster;
use crate::follow::{Following, wait};
use crate::registry::{Registry, framed, send, shop_of};
use crate::support::Shop;

/// 1 March 2026, 10:00 UTC, in milliseconds since 1970.
pub const START: i64 = 1_772_359_200_000;
/// The IDs of schemas.
const OLD: u32 = 1;
const NEW: u32 = 2;
const PROTOBUF: u32 = 3;
const UNKNOWN: u32 = 9;

/// A schema of clicks; the new version has a coupon.
fn schema(has_coupon: bool) -> String {
    let mut fields = vec![
        json!({ "name": "event_id", "type": "string" }),
        json!({ "name": "timestamp", "type": { "type": "long", "logicalType": "timestamp-millis" } }),
        json!({ "name": "session_id", "type": ["null", "string"], "default": null }),
        json!({ "name": "item_id", "type": "string" }),
        json!({ "name": "event_type", "type":
            { "type": "enum", "name": "Kind", "symbols": ["view", "add_to_cart", "purchase"] } }),
    ];
    if has_coupon {
        fields.push(json!({ "name": "coupon", "type": ["null", "string"], "default": null }));
    }
    json!({ "type": "record", "name": "Click", "namespace": "org.example", "fields": fields }).to_string()
}

/// An Avro `int` or `long`.
pub fn number(n: i64) -> Vec<u8> {
    let mut left = (n.cast_unsigned() << 1) ^ (n >> 63).cast_unsigned();
    let mut bytes = vec![];
    while left > 0x7f {
        bytes.push((left & 0x7f) as u8 | 0x80);
        left >>= 7;
    }
    bytes.push(left as u8);
    bytes
}

/// An Avro `string`.
pub fn text(text: &str) -> Vec<u8> {
    [&number(text.len() as i64)[..], text.as_bytes()].concat()
}

/// A click in the session `s1`, without an ID before it.
fn record(n: i64, has_coupon: bool) -> Vec<u8> {
    let mut record = [
        text(&format!("e{n}")),
        number(START + n * 1_000),
        number(1),
        text("s1"),
        text(&format!("item_{}", n % 5)),
        number(0),
    ]
    .concat();
    if has_coupon {
        record.extend([number(1), text("X")].concat());
    }
    record
}

fn click(id: u32, n: i64) -> Vec<u8> {
    framed(id, &record(n, id == NEW))
}

/// A project that decodes Avro with the schemas of a registry.
pub fn avro_shop(brokers: &str, registry: &str) -> Shop {
    let mut shop = shop_of(brokers, ", schema_registry: { url: \"${REGISTRY}\" }");
    shop.edit("sql/silver/clicks.sql", "from_json(", "from_avro(");
    shop.set("REGISTRY", registry);
    shop
}

#[test]
fn avro_reaches_silver_and_what_cannot_be_decoded_has_a_reason() {
    let registry = Registry::start(&[(OLD, &schema(false)), (NEW, &schema(true))]);
    registry.answer(
        PROTOBUF,
        json!({ "schema": "syntax = \"proto3\"; message A {}", "schemaType": "PROTOBUF" }),
    );
    let broker = EmbeddedBroker::start("clickstream", 2).unwrap();
    let shop = avro_shop(&broker.brokers(), &registry.url);
    // The producer is updated in the middle, and delivers the first record twice.
    let mut values: Vec<Vec<u8>> = (0..40).map(|n| click(if n < 20 { OLD } else { NEW }, n)).collect();
    values.push(click(OLD, 0));
    values.push(click(OLD, 40)[..14].to_vec());
    values.push(br#"{"item_id":"a"}"#.to_vec());
    values.push(click(PROTOBUF, 41));
    values.push(click(UNKNOWN, 42));
    send(&broker, values);
    shop.ok(&["run"]);
    assert_eq!(registry.take_requests(), [OLD, NEW, PROTOBUF, UNKNOWN], "once each");
    assert_eq!(shop.records_of_last_run(), [45, 40, 1, 4, 0]);
    shop.assert_nothing_lost(45);
    let found = shop.results(
        &[],
        &[
            "select reason, count(*) from silver.quarantine group by reason order by reason",
            "select count(*) from silver.events where extra = '{\"coupon\":\"X\"}'",
            "select count(*) from silver.events where extra is null and user_id is null and event_type = 'view'",
            "select min(event_at), count(distinct event_at), count(distinct item_id) from silver.events",
        ],
    );
    assert_eq!(
        found[0],
        [
            "\"not Avro: JSON, without a schema ID\",1",
            "not a record of schema ID 1,1",
            "\"schema ID 3 is PROTOBUF, not AVRO: read it with from_protobuf\",1",
            "schema ID 9 is not in the registry,1",
        ]
    );
    assert_eq!(found[1..3], [["20"], ["20"]]);
    assert!(
        found[3][0].starts_with("2026-03-01T10:00:00") && found[3][0].ends_with(",40,5"),
        "{:?}",
        found[3]
    );

    // Once the schema is registered, the record that named it is judged again.
    registry.answer(UNKNOWN, json!({ "schema": schema(false) }));
    shop.ok(&["quarantine", "replay"]);
    assert_eq!(
        shop.numbers([
            "select count(*) from silver.events",
            "select count(*) from silver.quarantine"
        ]),
        [41, 3]
    );
}

#[test]
fn a_registry_that_does_not_answer_stops_a_run_without_a_loss() {
    let registry = Registry::start(&[(OLD, &schema(false))]);
    let broker = EmbeddedBroker::start("clickstream", 2).unwrap();
    let shop = avro_shop(&broker.brokers(), &registry.url);
    send(&broker, (0..30).map(|n| click(OLD, n)));
    for (status, told) in [
        (503, "does not answer requests (503"),
        (401, "rejects the user name or the password (401)"),
    ] {
        registry.refuse_with(Some(status));
        let (code, log) = shop.fails(&["run"]);
        let address = format!("the schema registry at {}", registry.url);
        assert!(
            code == 1 && log.contains(&address) && log.contains(told) && log.contains("help:"),
            "{log}"
        );
    }
    let places = "select count(*) from bronze.clicks";
    assert_eq!(shop.number(places), 30, "Bronze needs no registry");
    assert!(
        !shop.path("lake/silver/quarantine/_delta_log").exists(),
        "no record is to blame"
    );
    registry.refuse_with(None);
    shop.ok(&["run"]);
    shop.assert_nothing_lost(30);
    assert_eq!(shop.number("select count(*) from silver.events"), 30);
}

#[test]
fn following_waits_for_a_registry() {
    let registry = Registry::start(&[(OLD, &schema(false)), (NEW, &schema(true))]);
    let broker = EmbeddedBroker::start("clickstream", 2).unwrap();
    let shop = avro_shop(&broker.brokers(), &registry.url);
    shop.edit(
        "pipelines.yaml",
        "every: 10s, records: 1000000",
        "every: 200ms, records: 1000000",
    );
    let following = Following::start(&shop, &broker.brokers(), &[]);
    send(&broker, (0..10).map(|n| click(OLD, n)));
    wait(&shop, "request", || registry.take_requests().contains(&OLD));
    registry.refuse_with(Some(503));
    send(&broker, (10..15).map(|n| click(NEW, n)));
    let told = || fs::read_to_string(shop.path("follow.jsonl")).unwrap_or_default();
    wait(&shop, "failed batch", || {
        told().contains("does not answer requests (503")
    });
    registry.refuse_with(None);
    let events = "select count(*) from silver.events";
    wait(&shop, "events of the new schema", || shop.number(events) == 15);
    following.stop(&shop);
    shop.assert_nothing_lost(15);
}

#[test]
fn executors_of_a_cluster_ask_the_registry_themselves() {
    let registry = Registry::start(&[(OLD, &schema(false))]);
    let broker = EmbeddedBroker::start("clickstream", 2).unwrap();
    let shop = avro_shop(&broker.brokers(), &registry.url);
    send(&broker, (0..30).map(|n| click(OLD, n)));
    let cluster = Cluster::start(&shop, &[], 1);
    shop.ok(&["run", "--engine", &cluster.engine()]);
    assert!(registry.take_requests().contains(&OLD));
    shop.assert_nothing_lost(30);
    assert_eq!(shop.number("select count(*) from silver.events"), 30);
}

#[test]
fn records_without_an_id_have_the_schema_of_a_file() {
    let broker = EmbeddedBroker::start("clickstream", 2).unwrap();
    let shop = shop_of(&broker.brokers(), ", schema: click.avsc");
    shop.edit("sql/silver/clicks.sql", "from_json(", "from_avro(");
    fs::write(shop.path("click.avsc"), schema(false)).unwrap();
    let mut values: Vec<Vec<u8>> = (0..20).map(|n| record(n, false)).collect();
    values.push(record(20, true));
    send(&broker, values);
    shop.ok(&["run"]);
    shop.assert_nothing_lost(21);
    assert_eq!(
        shop.rows("select reason, count(*) from silver.quarantine group by reason"),
        ["not a record of the schema,1"]
    );
}

#[test]
fn json_with_a_schema_id_needs_no_registry() {
    let broker = EmbeddedBroker::start("clickstream", 2).unwrap();
    let shop = shop_of(&broker.brokers(), "");
    let event = |n: u32| {
        let event = json!({
            "event_id": format!("e{n}"), "timestamp": "2026-03-01T10:00:00Z", "session_id": "s1", "item_id": "a",
            "event_type": "view",
        });
        framed(100_002, event.to_string().as_bytes())
    };
    send(&broker, (0..20).map(event).chain([click(OLD, 20)]));
    shop.ok(&["run"]);
    shop.assert_nothing_lost(21);
    assert_eq!(
        shop.rows("select reason, count(*) from silver.quarantine group by reason"),
        ["\"not JSON: begins with a schema ID, so read it with from_avro or from_protobuf\",1"]
    );
}

#[test]
fn a_step_that_decodes_avro_says_what_its_source_lacks() {
    let broker = EmbeddedBroker::start("clickstream", 1).unwrap();
    let shop = shop_of(&broker.brokers(), "");
    shop.edit("sql/silver/clicks.sql", "from_json(", "from_avro(");
    let (code, log) = shop.fails(&["run"]);
    assert!(
        code == 2 && log.contains("sql/silver/clicks.sql") && log.contains("schema_registry: { url"),
        "{log}"
    );
}
