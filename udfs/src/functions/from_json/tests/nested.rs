//! Nested types, paths, times, and numbers of any size.

use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};

use super::*;

/// The declared columns of a row as they are printed, then its error, and the value that was wrong.
fn printed(declaration: &str, value: &str, policy: Policy) -> Vec<String> {
    let rows = parsed_with(declaration, value, policy);
    let options = FormatOptions::default().with_null("-");
    let columns = rows.columns().iter();
    columns
        .map(|column| ArrayFormatter::try_new(column, &options).unwrap().value(0).to_string())
        .collect()
}

/// The same without an error.
fn good(declaration: &str, value: &str) -> Vec<String> {
    let mut row = printed(declaration, value, Policy::Quarantine);
    assert_eq!(row.split_off(row.len() - 2), ["-", "-"], "{value}");
    row
}

/// The error, and the value that was wrong.
fn bad(declaration: &str, value: &str) -> Vec<String> {
    let mut row = printed(declaration, value, Policy::Quarantine);
    row.split_off(row.len() - 2)
}

#[test]
fn types_nest() {
    let declaration = "id string, items struct(id string, price decimal(6, 2), tags string[])[], by map(string, bigint), \
                       at struct(s timestamp_s, days date[])";
    let value = r#"{"by":{"b":2,"a":null},"items":[{"price":9.5,"id":"x","tags":["n",null],"more":1},null,{"tags":[]}],
                    "at":{"s":1752424930,"days":["2026-03-01"]},"id":"a"}"#;
    assert_eq!(
        good(declaration, value),
        [
            "a",
            "[{id: x, price: 9.50, tags: [n, -]}, -, {id: -, price: -, tags: []}]",
            "{b: 2, a: -}",
            "{s: 2025-07-13T16:42:10Z, days: [2026-03-01]}",
        ]
    );
    assert_eq!(
        good(declaration, r#"{"items":null,"by":{},"at":{}}"#)[1..],
        ["-", "{}", "{s: -, days: -}"]
    );
}

#[test]
fn json_is_the_text_of_a_value_at_any_depth() {
    let declaration = "payload json, other json from $.s.raw, s struct(raw json), l json[], m map(string, json)";
    let value = r#"{"payload" : { "price" : 19.90, "n": 12345678901234567890123 },
                    "s":{"raw":[1.0, "\ud800"]},"l":[1e5,null,{"a":1E+999}],"m":{"k":"v\u00e9"}}"#;
    let expected = [
        r#"{ "price" : 19.90, "n": 12345678901234567890123 }"#,
        r#"[1.0, "\ud800"]"#,
        r#"{raw: [1.0, "\ud800"]}"#,
        r#"[1e5, -, {"a":1E+999}]"#,
        r#"{k: "v\u00e9"}"#,
    ];
    assert_eq!(good(declaration, value), expected);
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(good("d json", &format!("{{\"d\":{deep}}}")), [deep]);
}

#[test]
fn paths_lead_to_values_elsewhere() {
    let declaration = "item string from $.properties.product_id, first string from $.items[0].id, \
                       third struct(id string) from $.items[2], again string from '$.properties.product_id', \
                       properties json, items json, a bigint from $['a b'].c, c bigint";
    let value =
        r#"{"items":[{"id":"x"},null, {"id":"z"},{"id":5}],"properties":{"product_id":"p"},"a b":{"c":1},"c":2}"#;
    assert_eq!(
        good(declaration, value),
        [
            "p",
            "x",
            "{id: z}",
            "p",
            r#"{"product_id":"p"}"#,
            r#"[{"id":"x"},null, {"id":"z"},{"id":5}]"#,
            "1",
            "2"
        ]
    );
    // What a path passes through may be missing, null, or of another type.
    for value in [
        "{}",
        r#"{"items":[],"properties":null,"a b":null}"#,
        r#"{"items":{"id":"x"},"properties":5,"a b":"c"}"#,
        r#"{"items":"\ud800","properties":[1e999],"a b":1e999}"#,
    ] {
        let row = good(declaration, value);
        assert_eq!([&row[..4], &row[6..]].concat(), ["-"; 6], "{value}");
    }
}

#[test]
fn the_rest_has_what_no_column_takes_whole() {
    let declaration = "item string from $.properties.id, s struct(a int), extra rest";
    let value = r#"{"properties":{"id":"p","more":1.0},"s":{"a":1,"b":2},"x":[]}"#;
    let rest = r#"{"properties":{"id":"p","more":1.0},"x":[]}"#;
    assert_eq!(good(declaration, value), ["p", "{a: 1}", rest]);
    assert_eq!(
        good(declaration, r#"{"properties":null,"s":{"b":2}}"#),
        ["-", "{a: -}", "-"]
    );
    // A json column takes any field whole.
    assert_eq!(
        good("properties json, extra rest", value),
        [r#"{"id":"p","more":1.0}"#, r#"{"s":{"a":1,"b":2},"x":[]}"#]
    );
    // A field whose value does not fit somewhere is kept as a whole.
    let row = printed(declaration, r#"{"s":{"a":"b"},"properties":{}}"#, Policy::Evolve);
    assert_eq!(row, ["-", "{a: -}", r#"{"s":{"a":"b"},"properties":{}}"#, "-", "-"]);
    // Text takes numbers by their digits, at any depth.
    let row = printed(
        "l string[], m map(string, bigint)",
        r#"{"l":[1.50,2.0,true],"m":{"a":7.0}}"#,
        Policy::Evolve,
    );
    assert_eq!(row, ["[1.50, 2, true]", "{a: 7}", "-", "-"]);
}

#[test]
fn a_reason_names_the_path_and_the_value_stands_beside_it() {
    let declaration = "id string, items struct(id string, price double, tags string[])[], by map(string, int), \
                       user struct(age int), deep bigint from $.a['b c'][0].d, whole struct(x int) from $.user";
    let long = "k".repeat(100);
    for (value, kind, wrong) in [
        (
            r#"{"items":[{"price":1},{"price":2},{"price":"abc"}]}"#,
            "items[].price: expected number, found string",
            "items[2].price: abc",
        ),
        (
            r#"{"items":[{"tags":["a"]},{"tags":["b",7]}]}"#,
            "items[].tags[]: expected string, found number",
            "items[1].tags[1]: 7",
        ),
        (
            r#"{"items":{"id":"a"}}"#,
            "items: expected array, found object",
            r#"{"id":"a"}"#,
        ),
        (
            r#"{"items":[1]}"#,
            "items[]: expected object, found number",
            "items[0]: 1",
        ),
        (
            r#"{"items":[{"price":1e999}]}"#,
            "items[].price: out of range",
            "items[0].price: 1e999",
        ),
        (
            r#"{"items":[{"id":"\ud800"}]}"#,
            "items[].id: not Unicode text",
            r#"items[0].id: "\ud800""#,
        ),
        (
            r#"{"by":{"a":1,"b c":1.5}}"#,
            "by[]: expected integer, found number",
            "by['b c']: 1.5",
        ),
        (r#"{"by":[1]}"#, "by: expected object, found array", "[1]"),
        (r#"{"by":{"\ud800":1}}"#, "by: not Unicode text", r#""\ud800""#),
        (
            r#"{"items":{"\ud800":1}}"#,
            "items: expected array, found object",
            r#"{"\ud800":1}"#,
        ),
        (
            r#"{"id":{"\ud800":1}}"#,
            "id: expected string, found object",
            r#"{"\ud800":1}"#,
        ),
        (
            r#"{"user":{"age":"x"}}"#,
            "user.age: expected integer, found string",
            "x",
        ),
        (
            r#"{"a":{"b c":[{"d":"x"}]}}"#,
            "a['b c'][0].d: expected integer, found string",
            "x",
        ),
        (r#"{"user":"x"}"#, "user: expected object, found string", "x"),
        (
            r#"{"items":[{"price":1,"price":2}]}"#,
            "duplicate field `items[].price`",
            "items[0].price: 2",
        ),
        (r#"{"user":{"age":1,"age":2}}"#, "duplicate field `user.age`", "2"),
        (r#"{"a":1,"a":2}"#, "duplicate field `a`", "2"),
        (
            r#"{"by":{"a":1,"b":2,"\u0061":3}}"#,
            "duplicate field `by[]`",
            "by['a']",
        ),
        // The first column counts, and its first value.
        (r#"{"by":{"a":"x"},"id":1}"#, "id: expected string, found number", "1"),
        (
            r#"{"items":[{"price":"a","id":1},{"id":2}]}"#,
            "items[].price: expected number, found string",
            "items[0].price: a",
        ),
        (r#"{"items":[{"price":"a"}],"x":NaN}"#, "not JSON: NaN", "NaN}"),
    ] {
        assert_eq!(bad(declaration, value), [kind, wrong], "{value}");
    }
    let found = bad(declaration, &format!("{{\"by\":{{\"{long}\":\"{long}\"}}}}"));
    assert_eq!(found[1], format!("by['{0}']: {0}", "k".repeat(40)));
    // The other values of the row are kept, but for duplicates.
    let row = printed(
        "l int[], s struct(a int, b int)",
        r#"{"s":{"a":"x","b":1},"l":[1,"2",3]}"#,
        Policy::Quarantine,
    );
    assert_eq!(row[..2], ["[1, -, 3]", "{a: -, b: 1}"]);
    let row = printed(
        "l int[], s struct(a int, b int)",
        r#"{"s":{"a":1,"a":2},"l":[1]}"#,
        Policy::Quarantine,
    );
    assert_eq!(row[..2], ["-", "-"]);
}

#[test]
fn numbers_have_any_size() {
    let declaration = "d decimal(38, 10), p decimal(5, 2), n bigint, f float";
    let value = r#"{"d":1234567890123456789012345678.0123456789,"p":-9.9e1,"n":-9223372036854775808,"f":0.1}"#;
    let expected = [
        "1234567890123456789012345678.0123456789",
        "-99.00",
        "-9223372036854775808",
        "0.1",
    ];
    assert_eq!(good(declaration, value), expected);
    for (value, kind) in [
        (r#"{"p":1000}"#, "p: out of range"),
        (r#"{"p":1e40}"#, "p: out of range"),
        (r#"{"p":1e999}"#, "p: out of range"),
        (r#"{"p":1.005}"#, "p: more than 2 decimal places"),
        (r#"{"p":"1"}"#, "p: expected number, found string"),
        (r#"{"n":9223372036854775808}"#, "n: out of range"),
        (r#"{"f":1e39}"#, "f: out of range"),
    ] {
        assert_eq!(bad(declaration, value)[0], kind, "{value}");
    }
    assert_eq!(good(declaration, r#"{"p":1.00500e2}"#)[1], "100.50");
}

#[test]
fn times_come_in_many_notations() {
    let declaration = "s timestamp_s, ms timestamp_ms, us timestamp_us, ns timestamp_ns, at timestamp, \
                       de timestamp '%d.%m.%Y %H:%M' '%d.%m.%Y', day date, d date \"%d.%m.%y\"";
    let time = "2025-07-13T16:42:10.123456Z";
    let value = r#"{"s":1752424930.123456,"ms":1752424930123.4567,"us":"1752424930123456","ns":1752424930123456789,
                    "at":"2025-07-13 18:42:10.123456+02:00","de":"13.07.2025 16:42","day":"2025-07-13","d":"13.07.25"}"#;
    let expected = [
        time,
        time,
        time,
        time,
        time,
        "2025-07-13T16:42:00Z",
        "2025-07-13",
        "2025-07-13",
    ];
    assert_eq!(good(declaration, value), expected);
    assert_eq!(
        good(declaration, r#"{"de":"13.07.2025","s":"-1"}"#)[5],
        "2025-07-13T00:00:00Z"
    );
    for (value, kind) in [
        (r#"{"s":"soon"}"#, "s: not a number"),
        (r#"{"s":true}"#, "s: expected timestamp, found boolean"),
        (r#"{"s":1752424930123}"#, "s: out of range"),
        (r#"{"ns":1e99}"#, "ns: out of range"),
        (r#"{"at":1752424930}"#, "at: expected timestamp, found number"),
        (r#"{"at":"13.07.2025 16:42"}"#, "at: not an RFC 3339 time"),
        (r#"{"de":"2025-07-13T16:42:10Z"}"#, "de: not in the declared format"),
        (r#"{"day":"13.07.2025"}"#, "day: not a date"),
        (r#"{"day":"+20000-01-01"}"#, "day: not a date"),
        (r#"{"d":"32.07.25"}"#, "d: not in the declared format"),
        (r#"{"d":20250713}"#, "d: expected date, found number"),
    ] {
        assert_eq!(bad(declaration, value)[0], kind, "{value}");
    }
}

#[test]
fn records_are_read_to_the_depth_of_their_declaration() {
    let depth = 31;
    let declaration = format!("a {}int{}", "struct(a ".repeat(depth), ")".repeat(depth));
    let value = format!("{}1{}", "{\"a\":".repeat(depth + 1), "}".repeat(depth + 1));
    let expected = format!("{}1{}", "{a: ".repeat(depth), "}".repeat(depth));
    assert_eq!(good(&declaration, &value), [expected]);
    // Deeper values are skipped, or do not fit.
    let deep = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    let path = format!("{}a: expected integer, found object", "a.".repeat(depth));
    assert_eq!(bad(&declaration, &deep)[0], path);
    assert_eq!(good("b int", &deep), ["-"]);
}
