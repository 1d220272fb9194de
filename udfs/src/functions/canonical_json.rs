//! `canonical_json(text)`: normalizes JSON, whatever the order of its names and the whitespace between them, so that
//! equal content gives equal text. Numbers and strings are kept as they were sent. Text that is not JSON, or is nested
//! more than 128 deep, is returned unchanged. Names that repeat are kept, with their values in the order in which they
//! were sent.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{AsArray, StringBuilder};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::scalar_doc_sections::DOC_SECTION_STRING;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

const NAME: &str = "canonical_json";
/// Text with deeper nesting is returned unchanged, so that no text can exhaust the stack.
const DEPTH_MAX: usize = 128;

/// The function; see the module.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct CanonicalJson {
    signature: Signature,
}

impl Default for CanonicalJson {
    fn default() -> Self {
        let text = vec![DataType::Utf8, DataType::Utf8View, DataType::LargeUtf8];
        Self {
            signature: Signature::uniform(1, text, Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for CanonicalJson {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let texts = cast(&args.args[0].to_array(args.number_rows)?, &DataType::Utf8)?;
        let mut canonical = StringBuilder::new();
        let mut out = String::new();
        for text in texts.as_string::<i32>() {
            let Some(text) = text else {
                canonical.append_null();
                continue;
            };
            out.clear();
            match write_document(text, &mut out) {
                Some(()) => canonical.append_value(&out),
                None => canonical.append_value(text),
            }
        }
        Ok(ColumnarValue::Array(Arc::new(canonical.finish())))
    }

    fn documentation(&self) -> Option<&Documentation> {
        static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
            Documentation::builder(
                DOC_SECTION_STRING,
                "JSON with sorted object keys and no whitespace, so that equal content gives \
                 equal text. Text that is not JSON is returned unchanged.",
                "canonical_json(text)",
            )
            .with_argument("text", "JSON.")
            .with_sql_example("select canonical_json('{\"b\": 1, \"a\": 2}');")
            .build()
        });
        Some(&DOCUMENTATION)
    }
}

/// Normalizes a whole text; `None` if it is not JSON.
fn write_document(text: &str, out: &mut String) -> Option<()> {
    let rest = write_value(text.trim_start(), out, 0)?;
    rest.trim_ascii_start().is_empty().then_some(())
}

/// Writes the value at the beginning of a text, and returns the rest.
fn write_value<'a>(text: &'a str, out: &mut String, depth: usize) -> Option<&'a str> {
    match text.as_bytes().first()? {
        b'{' | b'[' if depth == DEPTH_MAX => None,
        b'{' => write_object(&text[1..], out, depth + 1),
        b'[' => write_array(&text[1..], out, depth + 1),
        b'"' => copy(text, end_of_string(text)?, out),
        _ => {
            let end = text.find(|c: char| matches!(c, ',' | '}' | ']') || c.is_ascii_whitespace());
            match end.unwrap_or(text.len()) {
                0 => None,
                end => copy(text, end, out),
            }
        }
    }
}

fn write_array<'a>(text: &'a str, out: &mut String, depth: usize) -> Option<&'a str> {
    out.push('[');
    let mut rest = text.trim_ascii_start();
    let mut first = true;
    loop {
        if let Some(after) = rest.strip_prefix(']') {
            out.push(']');
            return Some(after);
        }
        if !std::mem::take(&mut first) {
            out.push(',');
            rest = rest.strip_prefix(',')?.trim_ascii_start();
        }
        rest = write_value(rest, out, depth)?.trim_ascii_start();
    }
}

fn write_object<'a>(text: &'a str, out: &mut String, depth: usize) -> Option<&'a str> {
    let mut members: Vec<(&str, String)> = vec![];
    let mut rest = text.trim_ascii_start();
    let after = loop {
        if let Some(after) = rest.strip_prefix('}') {
            break after;
        }
        if !members.is_empty() {
            rest = rest.strip_prefix(',')?.trim_ascii_start();
        }
        let (name, value) = rest.split_at_checked(end_of_string(rest)?)?;
        let value = value.trim_ascii_start().strip_prefix(':')?.trim_ascii_start();
        let mut written = String::new();
        rest = write_value(value, &mut written, depth)?.trim_ascii_start();
        members.push((name, written));
    };
    // Stable: if a name is repeated, the order of its values is part of the content.
    members.sort_by_key(|(name, _)| *name);
    out.push('{');
    for (place, (name, value)) in members.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        out.push_str(name);
        out.push(':');
        out.push_str(value);
    }
    out.push('}');
    Some(after)
}

/// The index after the closing quote of the string at the beginning of a text.
fn end_of_string(text: &str) -> Option<usize> {
    let mut escaped = false;
    let mut bytes = text.bytes().enumerate();
    bytes.next().filter(|(_, byte)| *byte == b'"')?;
    for (place, byte) in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(place + 1),
            _ => {}
        }
    }
    None
}

fn copy<'a>(text: &'a str, end: usize, out: &mut String) -> Option<&'a str> {
    let (value, rest) = text.split_at_checked(end)?;
    out.push_str(value);
    Some(rest)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn canonical(text: &str) -> String {
        let mut out = String::new();
        match write_document(text, &mut out) {
            Some(()) => out,
            None => text.to_owned(),
        }
    }

    #[test]
    fn order_of_names_and_whitespace_do_not_count_and_values_do() {
        let one = canonical(r#"{"b": [1, {"y":2 , "x":"a b"}], "a":null}"#);
        assert_eq!(one, r#"{"a":null,"b":[1,{"x":"a b","y":2}]}"#);
        assert_eq!(one, canonical("{\n\"a\":null,\"b\":[1,{\"x\":\"a b\",\"y\":2}]\t}"));
        assert_ne!(one, canonical(r#"{"a":null,"b":[{"x":"a b","y":2},1]}"#));
        assert_eq!(
            canonical(r#"{"n":19.90,"n":1e400}"#),
            r#"{"n":19.90,"n":1e400}"#,
            "as sent"
        );
        assert_eq!(canonical(r#"{"q\"}":"\\"}"#), r#"{"q\"}":"\\"}"#);
        assert_eq!(canonical(" [ ] "), "[]");
        assert_eq!(canonical("{}"), "{}");
    }

    #[test]
    fn what_is_not_json_stays_as_it_is() {
        let deep = "[".repeat(1_000_000);
        for text in [
            "",
            " ",
            "{",
            "[1,",
            "{\"a\"}",
            "{\"a\":1}x",
            "{a:1}",
            "[1 2]",
            "\"a",
            deep.as_str(),
        ] {
            assert_eq!(canonical(text), text);
        }
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map(".{0,4}", inner, 0..4).prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_is_the_same_json_and_the_same_text_for_the_same_json(value in json(), other in json()) {
            let (plain, pretty) = (value.to_string(), serde_json::to_string_pretty(&value).unwrap());
            let one = canonical(&plain);
            prop_assert_eq!(&serde_json::from_str::<Value>(&one).unwrap(), &value);
            prop_assert_eq!(&one, &canonical(&pretty));
            prop_assert_eq!(&one, &canonical(&one));
            prop_assert_eq!(value == other, one == canonical(&other.to_string()));
        }
    }
}
