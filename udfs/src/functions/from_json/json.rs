//! Extracts the declared fields of a JSON object.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::fault::{Fault, not_an_object};
use super::sent::Sent;

/// The text of a record's value, without a byte order mark.
pub(super) fn text(bytes: Option<&[u8]>) -> Result<&str, Fault<'_>> {
    let bytes = bytes.ok_or_else(|| Fault::without_value("no value (a tombstone)"))?;
    let text = std::str::from_utf8(bytes).map_err(|_| Fault::without_value("not UTF-8"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(Fault::without_value("empty"));
    }
    Ok(text)
}

/// Extracts the declared fields of a text, and returns whether it has others; `sent` is filled only if that fails.
pub(super) fn read_object<'a>(
    text: &'a str,
    names: &[&str],
    found: &mut [Option<Json<'a>>],
    sent: &mut Sent<'a>,
) -> Result<bool, Fault<'a>> {
    let mut parser = serde_json::Deserializer::from_str(text);
    let object = Object {
        names,
        found: &mut *found,
    };
    let read = object
        .deserialize(&mut parser)
        .and_then(|has_others| parser.end().map(|()| has_others));
    read.or_else(|_| read_again(text, names, found, sent))
}

/// Parses each value separately. serde_json's parser stops at a number too large for `f64` and at an unpaired
/// surrogate, but they are valid JSON and affect only one field.
#[cold]
fn read_again<'a>(
    text: &'a str,
    names: &[&str],
    found: &mut [Option<Json<'a>>],
    sent: &mut Sent<'a>,
) -> Result<bool, Fault<'a>> {
    sent.read(text, names).map_err(|error| not_an_object(text, &error))?;
    found.fill_with(|| None);
    let mut has_others = false;
    for field in sent.fields() {
        match field.column {
            Some(column) if found[column].is_some() => {
                let kind = format!("duplicate field `{}`", names[column]);
                return Err(Fault::new(kind, Json::of(field.value).shown(field.value)));
            }
            Some(column) => found[column] = Some(Json::of(field.value)),
            None => has_others = true,
        }
    }
    Ok(has_others)
}

/// A JSON value.
pub(super) enum Json<'a> {
    Null,
    Bool(bool),
    Integer(i64),
    /// Includes integers beyond `i64`.
    Number(f64),
    /// Beyond `f64`.
    HugeNumber,
    Text(Cow<'a, str>),
    /// Text with an unpaired surrogate, which no Rust string can hold.
    BrokenText,
    Array,
    Object,
}

impl<'a> Json<'a> {
    /// Parses a text that is known to be JSON.
    fn of(sent: &'a str) -> Self {
        match sent.as_bytes().first() {
            Some(b'{') => return Self::Object,
            Some(b'[') => return Self::Array,
            _ => {}
        }
        let value = Value.deserialize(&mut serde_json::Deserializer::from_str(sent));
        value.unwrap_or_else(|_| {
            if sent.starts_with('"') {
                Self::BrokenText
            } else {
                Self::HugeNumber
            }
        })
    }

    pub fn is_number(&self) -> bool {
        matches!(self, Self::Integer(_) | Self::Number(_) | Self::HugeNumber)
    }

    /// The name of its type in error messages.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Integer(_) | Self::Number(_) | Self::HugeNumber => "number",
            Self::Text(_) | Self::BrokenText => "string",
            Self::Array => "array",
            Self::Object => "object",
        }
    }

    /// For display: a string without its quotes, anything else as it was sent.
    pub fn shown(self, sent: &'a str) -> Cow<'a, str> {
        match self {
            Self::Text(text) => text,
            _ => Cow::Borrowed(sent),
        }
    }
}

/// Extracts the declared fields of an object.
struct Object<'n, 'f, 'a> {
    names: &'n [&'n str],
    found: &'f mut [Option<Json<'a>>],
}

impl<'a> DeserializeSeed<'a> for Object<'_, '_, 'a> {
    type Value = bool;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for Object<'_, '_, 'a> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<bool, A::Error> {
        let mut has_others = false;
        while let Some(column) = map.next_key_seed(Name(self.names))? {
            let Some(column) = column else {
                map.next_value::<IgnoredAny>()?;
                has_others = true;
                continue;
            };
            if self.found[column].is_some() {
                return Err(A::Error::custom("duplicate field"));
            }
            self.found[column] = Some(map.next_value_seed(Value)?);
        }
        Ok(has_others)
    }
}

/// Maps a field's name to its index among the declared ones.
struct Name<'n>(&'n [&'n str]);

impl<'a> DeserializeSeed<'a> for Name<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Option<usize>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Option<usize>, E> {
        Ok(self.0.iter().position(|known| *known == name))
    }
}

/// Any value. Arrays and objects are skipped.
struct Value;

impl<'a> DeserializeSeed<'a> for Value {
    type Value = Json<'a>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Json<'a>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

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
        Ok(i64::try_from(value).map_or(Json::Number(value as f64), Json::Integer))
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

    fn visit_seq<A: SeqAccess<'a>>(self, mut items: A) -> Result<Json<'a>, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Json::Array)
    }

    fn visit_map<A: MapAccess<'a>>(self, mut fields: A) -> Result<Json<'a>, A::Error> {
        while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Json::Object)
    }
}
