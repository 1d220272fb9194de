#![allow(clippy::unwrap_used)]

mod nested;
mod properties;
mod random_types;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BinaryArray, StructArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{Int64Type, TimestampMicrosecondType};

use super::call::{Policy, result_fields};
use super::*;
use crate::functions::columns::{Column, parse_declaration};

fn parse_all(declaration: &str, values: Vec<Option<&[u8]>>, policy: Policy) -> StructArray {
    parse_columns(parse_declaration(NAME, declaration).unwrap(), values, policy)
}

fn parse_columns(columns: Vec<Column>, values: Vec<Option<&[u8]>>, policy: Policy) -> StructArray {
    let fields = result_fields(NAME, &columns).unwrap();
    let values = Arc::new(BinaryArray::from(values)) as ArrayRef;
    let declared = Declared {
        columns,
        fields: &fields,
        policy,
    };
    parse(&values, &declared).unwrap()
}

fn parsed(values: Vec<Option<&[u8]>>) -> StructArray {
    let declaration = "id string, n bigint, at timestamp, ok boolean, x double";
    parse_all(declaration, values, Policy::Quarantine)
}

/// The first row of a column, as text.
fn cell(rows: &StructArray, column: &str) -> Option<String> {
    let column = cast(rows.column_by_name(column).unwrap(), &DataType::Utf8).unwrap();
    let column = column.as_string::<i32>();
    column.is_valid(0).then(|| column.value(0).to_owned())
}

/// The kind of the error, and the offending value.
fn error(value: &[u8]) -> (Option<String>, Option<String>) {
    let row = parsed(vec![Some(value)]);
    (cell(&row, "error"), cell(&row, "error_value"))
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

/// `id`, `n`, the fields without a column, and the error for one text.
fn with_rest(value: &str, policy: Policy) -> [Option<String>; 4] {
    let row = parsed_with("id string, extra rest, n bigint", value, policy);
    ["id", "n", "extra", "error"].map(|column| cell(&row, column))
}

fn parsed_with(declaration: &str, value: &str, policy: Policy) -> StructArray {
    parse_all(declaration, vec![Some(value.as_bytes())], policy)
}

fn owned(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn fields_without_a_column_are_kept_where_a_column_takes_them() {
    for policy in [Policy::Quarantine, Policy::Evolve] {
        let added = r#"{"id":"a","coupon":"X","n":1,"tags":[1,{"b":null}],"none":null}"#;
        let rest = owned(r#"{"coupon":"X","tags":[1,{"b":null}]}"#);
        assert_eq!(with_rest(added, policy), [owned("a"), owned("1"), rest, None]);
        assert_eq!(with_rest(r#"{"id":"a"}"#, policy), [owned("a"), None, None, None]);
        assert_eq!(with_rest(r#"{"id":"a","none":null}"#, policy)[2], None);
        // The field that is called like the rest is one of them.
        let same = r#"{"extra":{"extra":1}}"#;
        assert_eq!(with_rest(same, policy), [None, None, owned(same), None]);
    }
}

#[test]
fn fields_without_a_column_are_kept_as_they_were_sent() {
    let deep = format!(r#""deep":{}{}"#, "[".repeat(1_000), "]".repeat(1_000));
    for kept in [
        r#""order_no":12345678901234567890123,"price":19.90,"x":1,"x":2"#,
        r#""a":1.0,"b":1e5,"c":-0,"d":1E+400,"e":-0.0"#,
        r#""z":1,"a":2,"m":{"y":1,"b":2,"y":3}"#,
        r#""\u00e9":"\u00e9","é":"é","slash":"\/","half":"\ud800""#,
        r#""nested":{ "a" : [ 1.50 , null ] }"#,
        deep.as_str(),
    ] {
        let sent = format!(r#"{{"id":"a",{kept},"n":1}}"#);
        let expected = [owned("a"), owned("1"), Some(format!("{{{kept}}}")), None];
        assert_eq!(with_rest(&sent, Policy::Quarantine), expected, "{kept}");
        assert_eq!(with_rest(&sent, Policy::Evolve), expected, "{kept}");
    }
    // Whitespace around a field is not part of it.
    let spaced = "{ \"id\" : \"a\" ,\n \"price\" : 19.90 , \"x\":\t[ 1 ] }";
    assert_eq!(
        with_rest(spaced, Policy::Quarantine)[2].as_deref(),
        Some(r#"{"price":19.90,"x":[ 1 ]}"#)
    );
}

#[test]
fn a_value_of_another_type_is_an_error_or_kept_by_the_policy() {
    let retyped = r#"{"id":7,"n":{"a":1}}"#;
    let error = owned("id: expected string, found number");
    assert_eq!(with_rest(retyped, Policy::Quarantine), [None, None, None, error]);
    let kept = owned(r#"{"n":{"a":1}}"#);
    assert_eq!(with_rest(retyped, Policy::Evolve), [owned("7"), None, kept, None]);
    let kept = owned(r#"{"id":["b"],"n":"1"}"#);
    assert_eq!(
        with_rest(r#"{"id":["b"],"n":"1"}"#, Policy::Evolve),
        [None, None, kept, None]
    );
    assert_eq!(
        with_rest("[1]", Policy::Evolve)[3].as_deref(),
        Some("not a JSON object: an array")
    );
    // The other fields of a row with an error are kept.
    let row = with_rest(r#"{"id":7,"n":1}"#, Policy::Quarantine);
    assert_eq!(row[1].as_deref(), Some("1"));
}

#[test]
fn numbers_become_text_by_their_digits_where_types_evolve() {
    for (sent, text) in [
        ("355908", "355908"),
        ("355908.0", "355908"),
        ("1.2345678E7", "12345678"),
        ("1e3", "1000"),
        ("9223372036854775808", "9223372036854775808"),
        ("-9223372036854775809", "-9223372036854775809"),
        ("123456789012345678901234", "123456789012345678901234"),
        ("12.5", "12.5"),
        ("12.50", "12.50"),
        ("-0", "0"),
        ("-0.0", "0"),
        ("1e999", "1e999"),
        ("0.1e-400", "0.1e-400"),
        ("true", "true"),
    ] {
        let value = format!(r#"{{"id":{sent}}}"#);
        assert_eq!(
            with_rest(&value, Policy::Evolve),
            [owned(text), None, None, None],
            "{sent}"
        );
        let found = if sent == "true" { "boolean" } else { "number" };
        assert_eq!(
            with_rest(&value, Policy::Quarantine)[3],
            Some(format!("id: expected string, found {found}")),
            "{sent}"
        );
    }
}

#[test]
fn integers_take_other_spellings_where_types_evolve() {
    let fields = "n bigint, i int, x double, f float, extra rest";
    for (field, sent, integer) in [
        ("n", "355908.0", Some("355908")),
        ("n", "-1e3", Some("-1000")),
        ("n", "9223372036854775807.0", Some("9223372036854775807")),
        ("n", "9223372036854775808", None),
        ("n", "1.5", None),
        ("i", "2147483648", None),
        ("i", "2147483647.0", Some("2147483647")),
        ("x", "1e999", None),
        ("f", "1e39", None),
    ] {
        let row = parsed_with(fields, &format!(r#"{{"{field}":{sent}}}"#), Policy::Evolve);
        let kept = integer.is_none().then(|| format!(r#"{{"{field}":{sent}}}"#));
        let found = ["error", field, "extra"].map(|column| cell(&row, column));
        assert_eq!(found, [None, integer.map(str::to_owned), kept], "{field} {sent}");
    }
    for (value, kind) in [
        (r#"{"n":9223372036854775808}"#, "n: out of range"),
        (r#"{"n":-12345678901234567890123}"#, "n: out of range"),
        (r#"{"i":3000000000}"#, "i: out of range"),
        (r#"{"x":-1e999}"#, "x: out of range"),
        (r#"{"f":1e39}"#, "f: out of range"),
        (r#"{"n":1.0}"#, "n: expected integer, found number"),
    ] {
        let row = parsed_with(fields, value, Policy::Quarantine);
        assert_eq!(cell(&row, "error").as_deref(), Some(kind), "{value}");
    }
}

#[test]
fn missing_and_null_fields_are_null_without_an_error() {
    let row = parsed(vec![Some(br#"{"id":null}"#), Some(b"{}")]);
    assert!((0..7).all(|column| row.column(column).null_count() == 2));
}

#[test]
fn every_poison_has_its_reason_and_the_value_beside_it() {
    let deep = format!("{{\"id\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let long = format!("{{\"n\":\"{}\"}}", "é".repeat(50));
    for (value, kind, wrong) in [
        (&b"{\"id\":\"a\""[..], "not JSON: cut off", Some("{\"id\":\"a\"")),
        (b"hello", "not JSON", Some("hello")),
        (b"{'id': 'a'}", "not JSON", Some("'id': 'a'}")),
        (b"{\"id\":\"a\",}", "not JSON", Some("}")),
        (b"2025-07-13 GET /", "not JSON", Some("2025-07-13 GET /")),
        (b"", "empty", None),
        (b"  ", "empty", None),
        (b"\xEF\xBB\xBF", "empty", None),
        (
            b"[{\"id\":\"a\"},{}]",
            "not a JSON object: an array",
            Some("[{\"id\":\"a\"},{}]"),
        ),
        (b"3", "not a JSON object: a number", Some("3")),
        (b" \"a\" ", "not a JSON object: a string", Some("\"a\"")),
        (b"true", "not a JSON object: a boolean", Some("true")),
        (b"null", "not a JSON object: null", Some("null")),
        (b"[1, ", "not JSON: cut off", Some("[1,")),
        (b"{\"id\":\"a\"} x", "not JSON: text after the object", Some("x")),
        (b"{\"id\":\"a\"},", "not JSON: text after the object", Some(",")),
        (b"{\"x\":NaN}", "not JSON: NaN", Some("NaN}")),
        (b"{\"z\":[1,\n nan]}", "not JSON: NaN", Some("nan]}")),
        (b"{\"x\":-Infinity}", "not JSON: Infinity", Some("-Infinity}")),
        (b"{\"x\": Infinity}", "not JSON: Infinity", Some("Infinity}")),
        (
            b"{",
            "not JSON: a line of an object that spans several lines",
            Some("{"),
        ),
        (
            b"  \"id\": \"a\",",
            "not JSON: a line of an object that spans several lines",
            Some("\"id\": \"a\","),
        ),
        (
            b"},",
            "not JSON: a line of an object that spans several lines",
            Some("},"),
        ),
        (b"{\"id\":\"\xC3\x28\"}", "not UTF-8", None),
        (b"{\"id\":\"a\",\"id\":\"b\"}", "duplicate field `id`", Some("b")),
        (b"{\"id\":null,\"\\u0069d\":null}", "duplicate field `id`", Some("null")),
        (b"{\"id\":88}", "id: expected string, found number", Some("88")),
        (
            b"{\"id\":1433.50}",
            "id: expected string, found number",
            Some("1433.50"),
        ),
        (b"{\"id\":\"\\ud800\"}", "id: not Unicode text", Some("\"\\ud800\"")),
        (b"{\"n\":\"x\"}", "n: expected integer, found string", Some("x")),
        (b"{\"n\":1.5}", "n: expected integer, found number", Some("1.5")),
        (
            b"{\"ok\":{\"a\": 1}}",
            "ok: expected boolean, found object",
            Some("{\"a\": 1}"),
        ),
        (
            b"{\"ok\":3,\"n\":true}",
            "n: expected integer, found boolean",
            Some("true"),
        ),
        (b"{\"at\":\"yesterday\"}", "at: not an RFC 3339 time", Some("yesterday")),
        (
            b"{\"at\":1752424930}",
            "at: expected timestamp, found number",
            Some("1752424930"),
        ),
        (
            deep.as_bytes(),
            "id: expected string, found array",
            Some(&"[".repeat(40)),
        ),
        (
            long.as_bytes(),
            "n: expected integer, found string",
            Some(&"é".repeat(40)),
        ),
    ] {
        let text = String::from_utf8_lossy(&value[..value.len().min(100)]);
        assert_eq!(error(value), (owned(kind), wrong.map(str::to_owned)), "{text}");
    }
    let tombstone = parsed(vec![None]);
    assert_eq!(cell(&tombstone, "error").as_deref(), Some("no value (a tombstone)"));
    assert_eq!(cell(&tombstone, "error_value"), None);
}

#[test]
fn a_byte_order_mark_is_no_error() {
    let value = "\u{feff}{\"id\":\"a\",\"price\":1.0,\"n\":1}";
    let expected = [owned("a"), owned("1"), owned("{\"price\":1.0}"), None];
    assert_eq!(with_rest(value, Policy::Quarantine), expected);
}

#[test]
fn a_bad_row_leaves_its_neighbors_alone() {
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
        ("a int, a int", "is declared twice"),
        ("error string", "is reserved for errors"),
        ("a string, error_value string", "`error_value` is reserved for errors"),
        ("a rest, b rest", "`rest` is for one column of the record"),
    ] {
        let columns = parse_declaration(NAME, declaration);
        let error = columns
            .and_then(|columns| result_fields(NAME, &columns))
            .unwrap_err()
            .to_string();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn a_frame_with_a_schema_id_is_skipped() {
    let framed = |body: &[u8]| [&b"\0\0\x01\x86\xa2"[..], body].concat();
    let declaration = "id string, extra rest";
    let good = framed(br#" {"id":"a","more":1}"#);
    let row = parse_all(declaration, vec![Some(&good)], Policy::Quarantine);
    assert_eq!(
        ["id", "extra", "error"].map(|column| cell(&row, column)),
        [owned("a"), owned(r#"{"more":1}"#), None]
    );
    let cases: [(&[u8], &str); 4] = [
        (b"[1]", "not a JSON object: an array"),
        (b"{\"id\":", "not JSON: cut off"),
        (b"", "empty"),
        // Avro: a text of four letters.
        (
            b"\x08abcd",
            "not JSON: begins with a schema ID, so read it with from_avro or from_protobuf",
        ),
    ];
    for (body, reason) in cases {
        assert_eq!(error(&framed(body)).0.as_deref(), Some(reason), "{body:?}");
    }
}
