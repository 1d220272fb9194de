//! What is inferred from records as shops, trackers and data sets have them.

#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::super::interpret::{Row, rows};
use super::super::mapping::Event;
use super::*;

fn inferred(records: &[Value]) -> Mapping {
    let records: Vec<Record> = records
        .iter()
        .map(|value| Record {
            text: value.to_string(),
            value: value.clone(),
        })
        .collect();
    infer(&Shape::of(records.iter().map(|record| &record.value)), &records)
}

/// `role=place`, for the roles that have one.
fn chosen(mapping: &Mapping) -> Vec<String> {
    let choices = mapping.choices();
    let chosen = choices.iter().filter(|(_, choice)| !choice.fields.is_empty());
    let written = chosen.map(|(role, choice)| {
        let places: Vec<String> = choice.fields.iter().map(|field| field.place.to_string()).collect();
        format!("{}={}", role.label(), places.join("|"))
    });
    written.collect()
}

fn times(number: usize, record: impl Fn(usize) -> Value) -> Vec<Value> {
    (0..number).map(record).collect()
}

const START: u64 = 1_772_359_200;

#[test]
fn a_flat_event_has_its_parts_by_name() {
    let kinds = ["view", "view", "addtocart", "transaction", "wishlist"];
    let mapping = inferred(&times(30, |n| {
        json!({
            "timestamp": START * 1_000 + n as u64,
            "visitorid": n % 4,
            "event": kinds[n % 5],
            "itemid": n % 7,
            "transactionid": if n % 5 == 3 { json!(n) } else { Value::Null },
        })
    }));
    let expected = ["time=timestamp", "user=visitorid", "item=itemid", "kind of event=event"];
    assert_eq!(chosen(&mapping), expected);
    assert_eq!((&mapping.list, &mapping.session_within_user), (&None, &None));
    let Kinds::ByValue { known, unknown, .. } = &mapping.kinds else {
        panic!()
    };
    let known: Vec<String> = known.iter().map(|(kind, event)| format!("{kind}={event}")).collect();
    assert_eq!(known, ["view=view", "addtocart=add_to_cart", "transaction=purchase"]);
    assert_eq!(unknown, &[("wishlist".to_owned(), 6)]);
}

#[test]
fn the_events_of_a_session_are_rows() {
    let record = json!({"session": 7, "events": [
        {"aid": 1001, "ts": START * 1_000, "type": "clicks"},
        {"aid": 1002, "ts": START * 1_000 + 5, "type": "orders"},
    ]});
    let mapping = inferred(&times(5, |_| record.clone()));
    let expected = [
        "time=events[].ts",
        "session=session",
        "item=events[].aid",
        "kind of event=events[].type",
    ];
    assert_eq!(chosen(&mapping), expected);
    let first = Row {
        event_at: Some(1_772_359_200_000_000),
        session_id: Some("7".to_owned()),
        item_id: Some("1001".to_owned()),
        event_type: Some(Event::View),
        ..Row::default()
    };
    let second = Row {
        event_at: Some(1_772_359_200_005_000),
        item_id: Some("1002".to_owned()),
        event_type: Some(Event::Purchase),
        ..first.clone()
    };
    assert_eq!(rows(&mapping, &record), Some(vec![first, second]));
    let empty = rows(&mapping, &json!({"session": 7})).unwrap();
    assert_eq!(empty[0].reason, Some("timestamp is missing"));
}

#[test]
fn the_lines_of_an_order_are_rows_beside_views_of_one_item() {
    let event = |kind: &str, id: String, properties: Value| {
        json!({
            "event": kind, "time": "2026-03-01T10:00:00Z", "user_id": "u", "id": id, "properties": properties,
        })
    };
    let view = |n: usize| event("Product Viewed", format!("e{n}"), json!({"product_id": "a"}));
    let order = |n: usize| {
        let lines = json!([{"product_id": "a", "id": n}, {"product_id": "b", "id": n}]);
        event("Order Completed", format!("o{n}"), json!({"products": lines}))
    };
    let records = [times(10, view), times(10, order)].concat();
    let mapping = inferred(&records);
    let expected = [
        "event ID=id",
        "time=time",
        "user=user_id",
        "item=properties.products[].product_id|properties.product_id",
        "kind of event=event",
    ];
    assert_eq!(chosen(&mapping), expected);
    let items = |record: &Value| -> Vec<Option<String>> {
        rows(&mapping, record)
            .unwrap()
            .into_iter()
            .map(|row| row.item_id)
            .collect()
    };
    assert_eq!(items(&records[0]), [Some("a".to_owned())]);
    assert_eq!(items(&records[10]), [Some("a".to_owned()), Some("b".to_owned())]);
}

#[test]
fn plain_items_of_a_list_may_be_the_items() {
    let records = times(
        8,
        |n| json!({"ts": START, "uid": "u", "action": "buy", "content_ids": [format!("a{n}"), "b"]}),
    );
    let mapping = inferred(&records);
    assert_eq!(mapping.list.as_ref().unwrap().plain, Some(FieldType::Text));
    assert_eq!(chosen(&mapping)[2], "item=content_ids[]");
    assert_eq!(rows(&mapping, &records[3]).unwrap()[1].item_id.as_deref(), Some("b"));
}

#[test]
fn a_list_beside_an_item_stays_where_it_is() {
    let shown = json!([{"product_id": "b"}, {"product_id": "c"}]);
    let record = json!({"ts": START, "sid": "s", "product_id": "a", "shown": shown});
    let mapping = inferred(&times(5, |_| record.clone()));
    assert_eq!(mapping.list, None);
    assert_eq!(chosen(&mapping), ["time=ts", "session=sid", "item=product_id"]);
    assert_eq!(mapping.kinds, Kinds::Views);
}

#[test]
fn session_ids_may_be_unique_within_a_user_only() {
    let of = |session: &dyn Fn(usize) -> Value| {
        let event = |n| json!({"ts": START, "user_id": n % 5, "session_id": session(n), "sku": "a"});
        let records = times(20, event);
        inferred(&records).session_within_user.is_some()
    };
    assert!(of(&|n| json!(START + (n as u64 / 5))), "the time at which it began");
    assert!(of(&|n| json!(n / 10)), "a counter");
    assert!(!of(&|n| json!(format!("s{}", n % 5))));
}

#[test]
fn what_no_field_says_is_left_open() {
    let colors = ["red", "blue"];
    let mapping = inferred(&times(30, |n| json!({"a": 5 * n, "color": colors[n % 2]})));
    assert!(mapping.time.fields.is_empty() && mapping.session.fields.is_empty() && mapping.user.fields.is_empty());
    assert_eq!(mapping.item.fields.len(), 1);
    assert!(mapping.item.doubt.is_some());
    let nothing = inferred(&[json!({})]);
    assert!(nothing.item.fields.is_empty());
    assert_eq!(
        rows(&nothing, &json!({})).unwrap()[0].reason,
        Some("timestamp is missing")
    );
}

#[test]
fn changes_of_a_database_have_the_fields_of_the_new_row() {
    let records = times(20, |n| {
        let session = format!("s{}", n / 5);
        let row = json!({
            "id": n, "session_id": session, "product_id": n % 3, "action": "buy", "created_at": START * 1_000_000,
        });
        let before = if n == 3 { row.clone() } else { Value::Null };
        json!({
            "schema": {"type": "struct", "fields": [{"type": "int64", "field": "id"}]},
            "payload": {
                "before": before, "after": row, "op": "c", "ts_ms": START * 1_000, "source": {"ts_ms": START * 1_000},
            },
        })
    });
    let expected = [
        "event ID=payload.after.id",
        "time=payload.after.created_at",
        "session=payload.after.session_id",
        "item=payload.after.product_id",
        "kind of event=payload.after.action",
    ];
    assert_eq!(chosen(&inferred(&records)), expected);
}
