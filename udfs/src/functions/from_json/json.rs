//! JSON values by themselves.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, Visitor};

/// A JSON value.
pub(super) enum Json<'a> {
    Null,
    Bool(bool),
    Integer(i64),
    /// Includes integers beyond `i64`.
    Number(f64),
    /// A number of which only the digits are known: it is beyond `f64`, or only the digits are needed.
    Digits,
    Text(Cow<'a, str>),
    /// Text with an unpaired surrogate, which no Rust string can hold.
    BrokenText,
    Array,
    Object,
}

impl<'a> Json<'a> {
    /// Parses a text that is known to be JSON.
    pub fn of(sent: &'a str) -> Self {
        match sent.as_bytes().first() {
            Some(b'{') => return Self::Object,
            Some(b'[') => return Self::Array,
            _ => {}
        }
        let mut parser = serde_json::Deserializer::from_str(sent);
        let value = Deserializer::deserialize_any(&mut parser, Value);
        value.unwrap_or_else(|_| {
            if sent.starts_with('"') {
                Self::BrokenText
            } else {
                Self::Digits
            }
        })
    }

    pub fn unsigned(number: u64) -> Self {
        i64::try_from(number).map_or(Self::Number(number as f64), Self::Integer)
    }

    pub fn is_number(&self) -> bool {
        matches!(self, Self::Integer(_) | Self::Number(_) | Self::Digits)
    }

    /// The name of its type in error messages.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Integer(_) | Self::Number(_) | Self::Digits => "number",
            Self::Text(_) | Self::BrokenText => "string",
            Self::Array => "array",
            Self::Object => "object",
        }
    }
}

/// How errors show a value: a string without its quotes, anything else as it was sent.
pub(super) fn shown(sent: &str) -> Cow<'_, str> {
    match Json::of(sent) {
        Json::Text(text) => text,
        _ => Cow::Borrowed(sent),
    }
}

/// The text in a JSON string; `None` if no Rust string can hold it.
pub(super) fn unquoted(sent: &str) -> Option<Cow<'_, str>> {
    if sent.contains('\\') {
        return serde_json::from_str::<String>(sent).ok().map(Cow::Owned);
    }
    sent.strip_prefix('"')?.strip_suffix('"').map(Cow::Borrowed)
}

/// A value that is neither an array nor an object.
struct Value;

impl<'a> Visitor<'a> for Value {
    type Value = Json<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Json<'a>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json<'a>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json<'a>, E> {
        Ok(Json::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json<'a>, E> {
        Ok(Json::unsigned(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json<'a>, E> {
        Ok(Json::Number(value))
    }

    fn visit_borrowed_str<E>(self, value: &'a str) -> Result<Json<'a>, E> {
        Ok(Json::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json<'a>, E> {
        Ok(Json::Text(Cow::Owned(value.to_owned())))
    }
}
