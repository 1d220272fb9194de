//! Rows of CSV files: how they are split and named, and what stays as it is.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::testing::read;
use super::*;

fn csv(options: FormatOptions) -> Csv {
    Csv::new(&options).unwrap()
}

fn plain() -> Csv {
    csv(FormatOptions::default())
}

fn values(format: &Csv, text: &[u8]) -> Vec<String> {
    let whole = read(format, text, text.len().max(1));
    for size in [1, 2, 5] {
        assert_eq!(read(format, text, size), whole, "in pieces of {size}");
    }
    whole
}

#[test]
fn rows_are_objects_of_texts() {
    let text = "\u{feff}id,name,price\r\n1,\"a, \"\"b\"\"\r\nc\",1.50\r\n\r\n2,,\n\"\",x,NULL\n";
    let expected = [
        r#"{"id":"1","name":"a, \"b\"\r\nc","price":"1.50"}"#,
        r#"{"id":"2"}"#,
        r#"{"name":"x","price":"NULL"}"#,
    ];
    assert_eq!(values(&plain(), text.as_bytes()), expected);
    for empty in ["", "\u{feff}", "id,name\n", "id,name", "\n\n"] {
        assert!(values(&plain(), empty.as_bytes()).is_empty(), "{empty}");
    }
}

#[test]
fn rows_that_do_not_fit_stay_as_they_are() {
    let text = b"a,b\n1\n1,2,3,4,5\n\"x\ny\"\na,b\n\xff,\"\n1,2";
    let rows = values(&plain(), text);
    let expected = ["1", "1,2,3,4,5", "\"x\ny\"", r#"{"a":"a","b":"b"}"#, "\u{fffd},\"\n1,2"];
    assert_eq!(rows, expected, "the last one has quotes that do not end");
}

#[test]
fn options_say_how_a_row_is_written() {
    let format = csv(FormatOptions {
        header: Some(false),
        columns: Some(vec!["a".to_owned(), "b".to_owned()]),
        delimiter: Some("\t".to_owned()),
        quote: Some("'".to_owned()),
        escape: Some("\\".to_owned()),
        nulls: Some(vec!["NULL".to_owned(), "\\N".to_owned()]),
        comment: Some("#".to_owned()),
    });
    let text = b"# 'a\n1\t'x\\'\ty\n'\n#\nNULL\t\n\\N\t#\n";
    let expected = [r#"{"a":"1","b":"x'\ty\n"}"#, r#"{"b":""}"#, r##"{"b":"#"}"##];
    assert_eq!(values(&format, text), expected);
    let unquoted = csv(FormatOptions {
        quote: Some(String::new()),
        ..FormatOptions::default()
    });
    assert_eq!(values(&unquoted, b"a,b\n\"1,2\"\n"), [r#"{"a":"\"1","b":"2\""}"#]);
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    let names = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    for (header, columns, wrong) in [
        (Some(false), None, "header"),
        (None, names(&["a"]), "columns"),
        (Some(true), names(&["a"]), "columns"),
        (Some(false), names(&["a", "b", "a"]), "columns"),
        (Some(false), names(&[]), "columns"),
    ] {
        let options = FormatOptions {
            header,
            columns,
            ..FormatOptions::default()
        };
        assert_eq!(Csv::new(&options).unwrap_err().option, wrong, "{options:?}");
    }
}

#[test]
fn a_file_without_its_header_is_refused() {
    let mut counter = plain().counter(Start::default());
    counter.update(b"2026-03-01T10:00:00Z,s");
    counter.update(b"1\n2026-03-01T10:00:01Z,s1\n");
    assert!(counter.refused().unwrap().contains("header: false"));
    let mut further_on = plain().counter(Start {
        at: 23,
        ..Start::default()
    });
    further_on.update(b"2026-03-01T10:00:01Z,s1\n");
    assert_eq!((further_on.refused(), further_on.count().records), (None, 1));
}

#[test]
fn a_last_row_may_go_on() {
    for complete in ["", "\n", "\r\n\r\n"] {
        assert!(plain().is_complete(complete.as_bytes()), "{complete}");
    }
    for growing in ["1,2", "\"1\n", "1,\"2\""] {
        assert!(!plain().is_complete(growing.as_bytes()), "{growing}");
    }
    // The first bytes of a byte order mark, or of a letter
    for growing in [&b"\xef"[..], b"\n\xef\xbb"] {
        assert!(!plain().is_complete(growing), "{growing:?}");
    }
}

/// A field as some program might write it.
fn written(value: &str, quoted: bool) -> String {
    match quoted || value.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", value.replace('"', "\"\"")),
        false => value.to_owned(),
    }
}

/// Rows of three values, each quoted or not.
fn table() -> impl Strategy<Value = Vec<Vec<(String, bool)>>> {
    let value = "[a-c\"',;\r\n #ü🙂0-9\\\\\t]{0,6}";
    prop::collection::vec(prop::collection::vec((value, any::<bool>()), 3), 0..12)
}

proptest! {
    #[test]
    fn values_come_back_however_they_are_quoted(
        rows in table(),
        break_with_return in any::<bool>(),
        size in 1_usize..40,
    ) {
        let line_break = if break_with_return { "\r\n" } else { "\n" };
        let mut text = format!("x,y,z{line_break}");
        for row in &rows {
            let fields: Vec<String> = row.iter().map(|(value, quoted)| written(value, *quoted)).collect();
            text.push_str(&fields.join(","));
            text.push_str(line_break);
        }
        let found = read(&plain(), text.as_bytes(), size);
        let found: Vec<Value> = found.iter().map(|value| serde_json::from_str(value).unwrap()).collect();
        let expected = rows.iter().map(|row| {
            let fields = ["x", "y", "z"].into_iter().zip(row).filter(|(_, (value, _))| !value.is_empty());
            Value::Object(fields.map(|(name, (value, _))| (name.to_owned(), json!(value))).collect())
        });
        prop_assert_eq!(found, expected.collect::<Vec<_>>());
    }
}
