#![allow(clippy::unwrap_used)]

use datafusion::arrow::array::BinaryArray;
use datafusion::arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use proptest::prelude::*;

use super::*;

fn parsed(values: Vec<Option<&[u8]>>) -> StructArray {
    let fields = result_fields("id string, n bigint, at timestamp, ok boolean, x double").unwrap();
    parse(
        &(Arc::new(BinaryArray::from(values)) as ArrayRef),
        &fields,
        Policy::Quarantine,
    )
    .unwrap()
}

fn error(value: &[u8]) -> Option<String> {
    let row = parsed(vec![Some(value)]);
    let errors = row.column_by_name("error").unwrap().as_string::<i32>();
    errors.iter().next().unwrap().map(str::to_owned)
}

#[test]
fn a_good_object_has_its_types() {
    let row = parsed(vec![Some(
        br#"{"n":-7,"id":"a\u00e9\n","at":"2025-07-13T18:42:10.5+02:00","ok":true,"x":3,"z":[{}]}"#,
    )]);
    assert_eq!(row.column(0).as_string::<i32>().value(0), "aé\n");
    assert_eq!(row.column(1).as_primitive::<Int64Type>().value(0), -7);
    assert_eq!(
        row.column(2).as_primitive::<TimestampMicrosecondType>().value(0),
        1_752_424_930_500_000
    );
    assert!(row.column(3).as_boolean().value(0));
    assert!(row.column(5).is_null(0));
}

/// `id`, `n`, the fields without a column, and the error of one text.
fn with_rest(value: &str, policy: Policy) -> [Option<String>; 4] {
    let fields = result_fields("id string, rest json, n bigint").unwrap();
    let values = Arc::new(BinaryArray::from(vec![value.as_bytes()])) as ArrayRef;
    let row = parse(&values, &fields, policy).unwrap();
    ["id", "n", "rest", "error"].map(|column| {
        let column = cast(row.column_by_name(column).unwrap(), &DataType::Utf8).unwrap();
        let column = column.as_string::<i32>();
        column.is_valid(0).then(|| column.value(0).to_owned())
    })
}

#[test]
fn fields_without_a_column_are_kept_where_a_column_takes_them() {
    let text = |text: &str| Some(text.to_owned());
    for policy in [Policy::Quarantine, Policy::Evolve] {
        let added = r#"{"id":"a","coupon":"X","n":1,"tags":[1,{"b":null}],"none":null}"#;
        let rest = text(r#"{"coupon":"X","tags":[1,{"b":null}]}"#);
        assert_eq!(with_rest(added, policy), [text("a"), text("1"), rest, None]);
        assert_eq!(with_rest(r#"{"id":"a"}"#, policy), [text("a"), None, None, None]);
    }
    let deep = format!(r#"{{"id":"a","x":{}{}}}"#, "[".repeat(1_000), "]".repeat(1_000));
    assert!(
        with_rest(&deep, Policy::Evolve)[3]
            .as_deref()
            .unwrap()
            .contains("nested too deeply")
    );
}

#[test]
fn a_value_of_another_type_is_an_error_or_kept_by_the_policy() {
    let text = |text: &str| Some(text.to_owned());
    let retyped = r#"{"id":7,"n":{"a":1}}"#;
    let error = text("id: expected string, found number 7");
    assert_eq!(with_rest(retyped, Policy::Quarantine), [None, None, None, error]);
    let kept = text(r#"{"n":{"a":1}}"#);
    assert_eq!(with_rest(retyped, Policy::Evolve), [text("7"), None, kept, None]);
    assert_eq!(
        with_rest(r#"{"id":1.5}"#, Policy::Evolve),
        [None, None, text(r#"{"id":1.5}"#), None]
    );
    assert_eq!(
        with_rest("[1]", Policy::Evolve)[3].as_deref(),
        Some("not a JSON object")
    );
}

#[test]
fn missing_and_null_fields_are_null_without_an_error() {
    let row = parsed(vec![Some(br#"{"id":null}"#), Some(b"{}")]);
    assert!((0..6).all(|column| row.column(column).null_count() == 2));
}

#[test]
fn every_poison_has_its_reason() {
    let deep = format!("{{\"id\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    for (value, reason) in [
        (&b"{\"id\":\"a\""[..], "not JSON: cut off"),
        (b"hello", "not JSON"),
        (b"", "empty"),
        (b"  ", "empty"),
        (b"[1]", "not a JSON object"),
        (b"3", "not a JSON object"),
        (b"{\"id\":\"a\"} x", "not JSON"),
        (b"{\"id\":\"\xC3\x28\"}", "not UTF-8"),
        (b"{\"id\":\"a\",\"id\":\"b\"}", "duplicate field `id`"),
        (b"{\"id\":88}", "id: expected string, found number 88"),
        (b"{\"n\":\"x\"}", "n: expected integer, found string"),
        (b"{\"n\":1.5}", "n: expected integer, found number 1.5"),
        (b"{\"ok\":{\"a\":1}}", "ok: expected boolean, found object"),
        (b"{\"at\":\"yesterday\"}", "at: not an RFC 3339 time: 'yesterday'"),
        (
            b"{\"at\":1752424930}",
            "at: expected timestamp, found number 1752424930",
        ),
        (deep.as_bytes(), "id: expected string, found array"),
    ] {
        assert_eq!(
            error(value).as_deref(),
            Some(reason),
            "{}",
            String::from_utf8_lossy(&value[..value.len().min(100)])
        );
    }
    let tombstone = parsed(vec![None]);
    assert_eq!(
        tombstone.column(5).as_string::<i32>().value(0),
        "no value (a tombstone)"
    );
}

#[test]
fn a_bad_row_leaves_its_neighbours_alone() {
    let rows = parsed(vec![
        Some(br#"{"id":"a"}"#),
        Some(br#"{"id":"b","n":"#),
        Some(br#"{"id":"c"}"#),
    ]);
    let ids: Vec<_> = rows.column(0).as_string::<i32>().iter().collect();
    assert_eq!(ids, [Some("a"), None, Some("c")]);
}

#[test]
fn declarations_are_checked() {
    for (declaration, message) in [
        ("id strin", "unknown type `strin`"),
        ("id", "needs a name and a type"),
        ("a int, a int", "is there twice"),
        ("error string", "is the name of the column for errors"),
        ("a string[]", "cannot be"),
    ] {
        let error = result_fields(declaration).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
}

proptest! {
    #[test]
    fn any_bytes_give_a_row(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        let row = parsed(vec![Some(&bytes)]);
        let is_object = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&bytes).is_ok();
        prop_assert!(is_object || row.column(5).is_valid(0));
    }

    #[test]
    fn text_survives(id in "\\PC*") {
        let json = serde_json::json!({ "id": id }).to_string();
        let row = parsed(vec![Some(json.as_bytes())]);
        prop_assert_eq!(row.column(0).as_string::<i32>().value(0), id);
    }
}
