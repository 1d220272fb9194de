//! One JSON object, of which the declared fields are taken; the others are kept only where they are asked for.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Finds the declared fields of one text, and tells whether it has others; the reason where it is no JSON object.
pub(super) fn read_object<'a>(
    bytes: Option<&'a [u8]>,
    names: &[&str],
    found: &mut [Option<Json<'a>>],
) -> Result<bool, Cow<'static, str>> {
    let bytes = bytes.ok_or("no value (a tombstone)")?;
    let text = std::str::from_utf8(bytes).map_err(|_| "not UTF-8")?;
    if text.trim().is_empty() {
        return Err("empty".into());
    }
    let mut parser = serde_json::Deserializer::from_str(text);
    let object = Object { names, found };
    object
        .deserialize(&mut parser)
        .and_then(|has_others| parser.end().map(|()| has_others))
        .map_err(|error| reason(&error))
}

/// The fields of an object that are not declared, and those declared ones that do not fit, as one JSON object.
pub(super) fn others(
    bytes: Option<&[u8]>,
    names: &[&str],
    misfits: &[&str],
) -> Result<Option<String>, Cow<'static, str>> {
    let parsed = serde_json::from_slice::<serde_json::Map<_, _>>(bytes.unwrap_or_default());
    // It has been read before, so there is only one thing left that can be wrong with it.
    let mut fields = parsed.map_err(|_| "a field without a column is nested too deeply")?;
    fields.retain(|name, value: &mut serde_json::Value| {
        !value.is_null() && (misfits.contains(&name.as_str()) || !names.contains(&name.as_str()))
    });
    Ok((!fields.is_empty()).then(|| serde_json::Value::Object(fields).to_string()))
}

fn reason(error: &serde_json::Error) -> Cow<'static, str> {
    use serde_json::error::Category;
    let text = error.to_string();
    match error.classify() {
        Category::Eof => "not JSON: cut off".into(),
        Category::Syntax | Category::Io => "not JSON".into(),
        Category::Data if text.starts_with("duplicate field") => text
            .split(" at line ")
            .next()
            .unwrap_or("duplicate field")
            .to_owned()
            .into(),
        Category::Data => "not a JSON object".into(),
    }
}

/// A value as JSON has it.
pub(super) enum Json<'a> {
    Bool(bool),
    Integer(i64),
    Number(f64),
    Text(Cow<'a, str>),
    Array,
    Object,
}

impl Json<'_> {
    /// In the words of an error message.
    pub fn describe(&self) -> String {
        match self {
            Self::Bool(value) => value.to_string(),
            Self::Integer(value) => format!("number {value}"),
            Self::Number(value) => format!("number {value}"),
            Self::Text(_) => "string".to_owned(),
            Self::Array => "array".to_owned(),
            Self::Object => "object".to_owned(),
        }
    }
}

/// Takes the declared fields out of an object.
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
        let (mut seen, mut has_others) = (0_u64, false);
        while let Some(column) = map.next_key_seed(Name(self.names))? {
            let Some(column) = column else {
                map.next_value::<IgnoredAny>()?;
                has_others = true;
                continue;
            };
            if seen & (1 << (column % 64)) != 0 && self.found[column].is_some() {
                return Err(A::Error::custom(format!("duplicate field `{}`", self.names[column])));
            }
            seen |= 1 << (column % 64);
            self.found[column] = map.next_value_seed(Value)?;
        }
        Ok(has_others)
    }
}

/// A field's name to its place among the declared ones.
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

/// Any value; `None` for null. Arrays and objects are passed over.
struct Value;

impl<'a> DeserializeSeed<'a> for Value {
    type Value = Option<Json<'a>>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Value {
    type Value = Option<Json<'a>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Some(Json::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Some(Json::Integer(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Some(
            i64::try_from(value).map_or(Json::Number(value as f64), Json::Integer),
        ))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Some(Json::Number(value)))
    }

    fn visit_borrowed_str<E>(self, value: &'a str) -> Result<Self::Value, E> {
        Ok(Some(Json::Text(Cow::Borrowed(value))))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Some(Json::Text(Cow::Owned(value.to_owned()))))
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Some(Json::Array))
    }

    fn visit_map<A: MapAccess<'a>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Some(Json::Object))
    }
}
