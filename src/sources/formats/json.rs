//! The format `json`: values that follow one another, or are the items of an array, however they are broken into lines.

use super::lines::BOM;
use super::records::{Convert, RecordCounter, RecordSplitter};
use super::{Counter, Ends, Format, Layout, Rows, Splitter, Start, TextFormat};
use crate::plural::counted;

/// Pretty-printed or concatenated objects, and arrays of objects. A record is an object on one line; its digits and
/// escapes stay as they are.
///
/// Only strings and brackets are understood. So a broken value is a record, too, and SQL says what is wrong with it.
#[derive(Debug)]
pub(super) struct Json;

impl Format for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn endings(&self) -> &'static [&'static str] {
        &[".json"]
    }

    fn layout(&self) -> Layout<'_> {
        Layout::Text(self)
    }
}

impl TextFormat for Json {
    fn ends(&self) -> Box<dyn Ends> {
        Box::<ValueEnds>::default()
    }

    /// A value that has begun may go on.
    fn is_complete(&self, _: &[u8]) -> bool {
        false
    }

    /// What follows the last value may be the end of its array, which the next value replaces.
    fn is_closing(&self, rest: &[u8]) -> bool {
        let mut ends = ValueEnds::default();
        ends.next_end(rest).is_none() && !ends.has_begun()
    }

    fn unfinished(&self, place: &str, bytes: u64) -> String {
        format!(
            "the last JSON value of {place} ({}) is unterminated: it is not read, because it may be incomplete; close its \
             strings and brackets, or set `growing: false` if files do not grow",
            counted(bytes, "byte", "bytes")
        )
    }

    fn counter(&self, start: Start) -> Box<dyn Counter> {
        Box::new(RecordCounter::new(ValueEnds::default(), start.at))
    }

    fn splitter(&self, _: &[u8]) -> Box<dyn Splitter> {
        Box::new(RecordSplitter::new(ValueEnds::default(), OnOneLine::default()))
    }
}

/// Finds the ends of values.
#[derive(Debug, Default)]
struct ValueEnds {
    /// How many brackets are open, but for those of an array of records.
    depth: usize,
    /// How many arrays of records are open.
    arrays: usize,
    in_string: bool,
    /// The next byte of the string is escaped.
    is_escaped: bool,
    /// In a value without quotes or brackets, or in something that is not JSON.
    in_word: bool,
}

impl ValueEnds {
    /// Takes the next byte. Returns whether a value ends with it.
    fn take(&mut self, byte: u8) -> bool {
        if self.in_string {
            return self.take_in_string(byte);
        }
        if self.depth > 0 {
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => self.depth -= 1,
                _ => {}
            }
            return self.depth == 0;
        }
        match byte {
            b'[' => self.arrays += 1,
            b']' => self.arrays = self.arrays.saturating_sub(1),
            _ => {}
        }
        if self.in_word {
            self.in_word = !is_between(byte);
            return !self.in_word;
        }
        match byte {
            b'{' => self.depth = 1,
            b'"' => self.in_string = true,
            _ => self.in_word = !is_between(byte),
        }
        false
    }

    fn take_in_string(&mut self, byte: u8) -> bool {
        match byte {
            // No string spans lines: the value was cut off, and another one may begin in the next line.
            b'\n' => {
                *self = Self {
                    arrays: self.arrays,
                    ..Self::default()
                };
                return true;
            }
            _ if self.is_escaped => self.is_escaped = false,
            b'\\' => self.is_escaped = true,
            b'"' => {
                self.in_string = false;
                return self.depth == 0;
            }
            _ => {}
        }
        false
    }
}

/// Whether a byte stands between values: an array of records is treated like its items.
fn is_between(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b',' | b'[' | b']') || BOM.contains(&byte)
}

impl Ends for ValueEnds {
    fn next_end(&mut self, text: &[u8]) -> Option<usize> {
        let end = text.iter().position(|byte| self.take(*byte));
        end.map(|last| last + 1)
    }

    fn has_begun(&self) -> bool {
        self.depth > 0 || self.in_string || self.in_word
    }

    fn is_open(&self) -> bool {
        self.depth > 0 || self.in_string || self.arrays > 0
    }
}

/// Removes line breaks and indentation.
#[derive(Debug, Default)]
struct OnOneLine(Vec<u8>);

impl Convert for OnOneLine {
    fn add(&mut self, record: &[u8], _: bool, rows: &mut Rows) -> bool {
        let start = record.iter().position(|byte| !is_between(*byte));
        let mut value = record[start.unwrap_or(record.len())..].trim_ascii_end();
        if !value.starts_with(b"{") && !value.starts_with(b"\"") {
            let end = value.iter().rposition(|byte| !is_between(*byte));
            value = &value[..end.map_or(0, |end| end + 1)];
        }
        if memchr::memchr2(b'\n', b'\r', value).is_none() {
            return rows.push(value);
        }
        self.0.clear();
        let mut ends = ValueEnds::default();
        for byte in value {
            let is_text = ends.in_string;
            ends.take(*byte);
            if is_text || !byte.is_ascii_whitespace() {
                self.0.push(*byte);
            }
        }
        rows.push(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::testing::read;
    use super::*;

    fn values(text: &str) -> Vec<String> {
        let whole = read(&Json, text.as_bytes(), text.len().max(1));
        for size in [1, 2, 7] {
            assert_eq!(read(&Json, text.as_bytes(), size), whole, "in pieces of {size}: {text}");
        }
        whole
    }

    #[test]
    fn values_are_records_however_they_are_separated() {
        let expected = ["{\"a\":[1,{\"b\":\"}]\\\"\"}]}", "{}", "{\"n\":1.50}"];
        for text in [
            "[{\"a\": [1, {\"b\": \"}]\\\"\"}]}, {}, {\"n\": 1.50}]",
            "{\"a\":[1,{\"b\":\"}]\\\"\"}]}{}{\"n\":1.50}",
            "\u{feff}[\n  {\r\n    \"a\": [1, {\"b\": \"}]\\\"\"}]\n  },\n  {},\n  {\"n\": 1.50\n}\n]\n",
            "{\"a\":[1,{\"b\":\"}]\\\"\"}]}\n{}\n\n{\"n\":1.50}",
        ] {
            let found: Vec<String> = values(text).iter().map(|value| value.replace(' ', "")).collect();
            assert_eq!(found, expected, "{text}");
        }
        for text in ["", "[]", " \n[\n]\n", "\u{feff}"] {
            assert!(values(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn broken_values_are_records_too() {
        assert_eq!(values("[1, \"a b\", nul }"), ["1", "\"a b\"", "nul", "}"]);
        assert_eq!(values("{\"a\":\"cut\n{\"b\":1}"), ["{\"a\":\"cut", "{\"b\":1}"]);
        assert_eq!(values("{\"b\":1}\n{\"a\":[\n1,"), ["{\"b\":1}", "{\"a\":[1,"]);
    }

    #[test]
    fn what_closes_an_array_is_no_value() {
        for closing in ["", "]", "\n ]\n", ","] {
            assert!(Json.is_closing(closing.as_bytes()), "{closing}");
        }
        for growing in ["{", "12", "\"a", "{\"a\":1"] {
            assert!(!Json.is_closing(growing.as_bytes()), "{growing}");
            assert!(!Json.is_complete(growing.as_bytes()), "{growing}");
        }
    }

    #[test]
    fn a_text_without_its_last_brackets_was_cut_off() {
        let is_open = |text: &str| {
            let mut ends = ValueEnds::default();
            ends.last_end(text.as_bytes());
            ends.is_open()
        };
        for whole in [
            "",
            "[]",
            "\u{feff}[\n{\"a\":[1]},\n{}\n]\n",
            "{}{}",
            "[1, nul]",
            "12",
            "[{\"a\":\"]\"}]",
        ] {
            assert!(!is_open(whole), "{whole}");
        }
        for cut in [
            "[",
            "[{\"a\":1},\n",
            "[1, 2",
            "{\"a\":[1,",
            "\"a",
            "[{\"a\":\"cut\n{}",
            "[{\"a\":\"]",
        ] {
            assert!(is_open(cut), "{cut}");
        }
    }

    fn object() -> impl Strategy<Value = serde_json::Value> {
        let scalar = prop_oneof![
            any::<Option<i64>>().prop_map(serde_json::Value::from),
            "[ -~\n\"\\\\{}\\[\\],ü]{0,12}".prop_map(serde_json::Value::from),
        ];
        let value = scalar.prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                prop::collection::btree_map("[a-z\n\"]{0,3}", inner, 0..4).prop_map(of_fields),
            ]
        });
        prop::collection::btree_map("[a-z]{1,3}", value, 0..4).prop_map(of_fields)
    }

    fn of_fields(fields: BTreeMap<String, serde_json::Value>) -> serde_json::Value {
        serde_json::Value::Object(fields.into_iter().collect())
    }

    proptest! {
        #[test]
        fn objects_come_back_however_they_are_written(
            objects in prop::collection::vec((object(), any::<bool>()), 0..8),
            in_array in any::<bool>(),
            size in 1_usize..60,
        ) {
            let written = objects.iter().map(|(object, is_pretty)| match is_pretty {
                true => serde_json::to_string_pretty(object).unwrap(),
                false => object.to_string(),
            });
            let written: Vec<String> = written.collect();
            let text = match in_array {
                true => format!("[\n{}\n]", written.join(",\n")),
                false => written.concat(),
            };
            let found = read(&Json, text.as_bytes(), size);
            prop_assert!(found.iter().all(|value| !value.contains('\n')));
            let found = found.iter().map(|value| serde_json::from_str(value).unwrap());
            let found: Vec<serde_json::Value> = found.collect();
            prop_assert_eq!(found, objects.into_iter().map(|(object, _)| object).collect::<Vec<_>>());
        }
    }
}
