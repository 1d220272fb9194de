//! Why a text has no values: a kind that can be counted, and the offending value.

use std::borrow::Cow;

use serde_json::Deserializer;
use serde_json::error::Category;
use serde_json::value::RawValue;

/// Values are truncated to this many characters.
const SHOWN: usize = 40;

/// Why a row does not match its declaration.
pub(in crate::functions) struct Fault<'a> {
    /// Contains no values.
    pub kind: Cow<'static, str>,
    /// The offending value, as it was sent.
    pub value: Option<Cow<'a, str>>,
}

impl<'a> Fault<'a> {
    pub fn new(kind: impl Into<Cow<'static, str>>, value: impl Into<Cow<'a, str>>) -> Self {
        let value = match value.into() {
            Cow::Borrowed(value) => Cow::Borrowed(cut(value)),
            Cow::Owned(value) => Cow::Owned(cut(&value).to_owned()),
        };
        Self {
            kind: kind.into(),
            value: Some(value),
        }
    }

    /// Of a value at a place, if the kind does not say which.
    pub fn at(kind: String, place: Option<String>, value: Option<Cow<'a, str>>) -> Self {
        let value = match (place, value) {
            (Some(place), Some(value)) => Some(format!("{place}: {}", cut(&value)).into()),
            (Some(place), None) => Some(place.into()),
            (None, Some(value)) => return Self::new(kind, value),
            (None, None) => None,
        };
        Self {
            kind: kind.into(),
            value,
        }
    }

    pub fn without_value(kind: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind: kind.into(),
            value: None,
        }
    }
}

/// A value as errors show it.
pub(super) fn cut(value: &str) -> &str {
    let end = value.char_indices().nth(SHOWN);
    end.map_or(value, |(end, _)| &value[..end])
}

/// The fault of a text that is not a JSON object, from the parser's error.
pub(super) fn not_an_object<'a>(text: &'a str, error: &serde_json::Error) -> Fault<'a> {
    let line = text.trim();
    if is_part(line) {
        return Fault::new("not JSON: a line of an object that spans several lines", line);
    }
    if line.starts_with('{') {
        return not_json(text, error);
    }
    match serde_json::from_str::<&RawValue>(text) {
        Ok(value) => Fault::new(
            match value.get().as_bytes().first() {
                Some(b'[') => "not a JSON object: an array",
                Some(b'"') => "not a JSON object: a string",
                Some(b't' | b'f') => "not a JSON object: a boolean",
                Some(b'n') => "not a JSON object: null",
                _ => "not a JSON object: a number",
            },
            value.get(),
        ),
        Err(error) => not_json(text, &error),
    }
}

/// Whether it looks like a line of pretty-printed JSON.
fn is_part(line: &str) -> bool {
    if matches!(line, "{" | "[" | "}" | "]" | "}," | "],") {
        return true;
    }
    line.starts_with('"') && after_value(line).is_some_and(|rest| rest.starts_with(':'))
}

/// What follows the first value of a text.
fn after_value(text: &str) -> Option<&str> {
    let mut values = Deserializer::from_str(text).into_iter::<&RawValue>();
    values.next()?.ok()?;
    Some(text.get(values.byte_offset()..)?.trim_start())
}

fn not_json<'a>(text: &'a str, error: &serde_json::Error) -> Fault<'a> {
    let rest = rest_at(text, error);
    let token = rest.split(|character| !is_word(character)).next().unwrap_or_default();
    match token.trim_start_matches(['-', '+']).to_ascii_lowercase().as_str() {
        "nan" => return Fault::new("not JSON: NaN", rest),
        "inf" | "infinity" => return Fault::new("not JSON: Infinity", rest),
        _ => {}
    }
    let is_opened = text.trim_start().starts_with(['{', '[']);
    // The parser reports a number that ends with its sign or point as a syntax error, even at the end of the text.
    let is_half_a_number =
        is_opened && token.len() == rest.len() && token.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    if error.classify() == Category::Eof || is_half_a_number {
        let end = text.trim_end();
        let start = end.char_indices().nth_back(SHOWN - 1).map_or(0, |(start, _)| start);
        return Fault::new("not JSON: cut off", &end[start..]);
    }
    match after_value(text) {
        Some(rest) if is_opened => Fault::new("not JSON: text after the object", rest),
        _ => Fault::new("not JSON", rest),
    }
}

/// The text from the word at which the parser stopped.
fn rest_at<'a>(text: &'a str, error: &serde_json::Error) -> &'a str {
    let lines_before = text.split_inclusive('\n').take(error.line().saturating_sub(1));
    let start: usize = lines_before.map(str::len).sum();
    let place = text.floor_char_boundary(start + error.column().saturating_sub(1));
    let before = &text[..place];
    &text[before.trim_end_matches(is_word).len()..]
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '+' | '-' | '.')
}
