//! A message as a JSON object, with the names of its schema.
//!
//! Fields without presence (in proto3, all but messages and those that are `optional` or in a `oneof`) always have a
//! value, which is the default if none was sent; others are left out unless they were sent. Numbers keep all digits; NaN
//! and infinity are `null`. Enums are names, or numbers without one. Bytes are written as `json_rows` writes them. The
//! well-known types are what they stand for: times and durations are text, wrappers are their value, and `Struct`,
//! `Value` and `ListValue` are any JSON.

use prost_reflect::{DynamicMessage, Kind, MapKey, MessageDescriptor, ReflectMessage, SerializeOptions, Value};
use serde::Serialize;

use crate::json_rows::write_bytes;

/// How long the text of a message may be: fields without a value make long texts of few bytes.
const TEXT_BYTES_MAX: usize = 64 << 20;

/// The text of a message is too long.
#[derive(Debug)]
pub(super) struct TooLong;

/// Appends messages to a text, which ends at this length.
pub(super) struct Writer<'t> {
    text: &'t mut Vec<u8>,
    end: usize,
}

impl<'t> Writer<'t> {
    pub fn new(text: &'t mut Vec<u8>) -> Self {
        let end = text.len().saturating_add(TEXT_BYTES_MAX);
        Self { text, end }
    }

    /// Appends a message.
    pub fn message(&mut self, message: &DynamicMessage) -> Result<(), TooLong> {
        if self.text.len() > self.end {
            return Err(TooLong);
        }
        let descriptor = message.descriptor();
        match descriptor.full_name().strip_prefix("google.protobuf.") {
            Some("Timestamp" | "Duration" | "FieldMask") => self.well_known(message, &descriptor),
            Some("Struct") => self.only(message, &descriptor, "fields"),
            Some("ListValue") => self.only(message, &descriptor, "values"),
            Some("Value") => match descriptor.fields().find(|field| message.has_field(field)) {
                Some(field) => self.value(&message.get_field(&field), &field.kind()),
                None => {
                    self.text.extend_from_slice(b"null");
                    Ok(())
                }
            },
            Some(
                "BoolValue" | "Int32Value" | "Int64Value" | "UInt32Value" | "UInt64Value" | "FloatValue"
                | "DoubleValue" | "StringValue" | "BytesValue",
            ) => self.only(message, &descriptor, "value"),
            _ => self.fields(message, &descriptor),
        }
    }

    /// A message that stands for the value of one field.
    fn only(&mut self, message: &DynamicMessage, descriptor: &MessageDescriptor, name: &str) -> Result<(), TooLong> {
        match descriptor.get_field_by_name(name) {
            Some(field) => self.value(&message.get_field(&field), &field.kind()),
            None => self.fields(message, descriptor),
        }
    }

    /// Values that have no text, such as times after the year 9999, are objects of their fields.
    fn well_known(&mut self, message: &DynamicMessage, descriptor: &MessageDescriptor) -> Result<(), TooLong> {
        let start = self.text.len();
        let mut serializer = serde_json::Serializer::new(&mut *self.text);
        if message
            .serialize_with_options(&mut serializer, &SerializeOptions::new())
            .is_err()
        {
            self.text.truncate(start);
            return self.fields(message, descriptor);
        }
        Ok(())
    }

    fn fields(&mut self, message: &DynamicMessage, descriptor: &MessageDescriptor) -> Result<(), TooLong> {
        let mut before = b'{';
        for field in descriptor.fields() {
            if field.supports_presence() && !message.has_field(&field) {
                continue;
            }
            self.key(before, field.name());
            self.value(&message.get_field(&field), &field.kind())?;
            before = b',';
        }
        for (extension, value) in message.extensions() {
            self.key(before, extension.json_name());
            self.value(value, &extension.kind())?;
            before = b',';
        }
        if before == b'{' {
            self.text.push(before);
        }
        self.text.push(b'}');
        Ok(())
    }

    fn value(&mut self, value: &Value, kind: &Kind) -> Result<(), TooLong> {
        if self.text.len() > self.end {
            return Err(TooLong);
        }
        match value {
            Value::Bool(value) => self.plain(value),
            Value::I32(value) => self.plain(value),
            Value::I64(value) => self.plain(value),
            Value::U32(value) => self.plain(value),
            Value::U64(value) => self.plain(value),
            Value::F32(value) => self.plain(value),
            Value::F64(value) => self.plain(value),
            Value::String(value) => self.plain(value),
            Value::Bytes(value) => write_bytes(value, self.text),
            Value::EnumNumber(number) => self.enumerated(*number, kind),
            Value::Message(message) => self.message(message)?,
            Value::List(values) => {
                self.text.push(b'[');
                for (place, value) in values.iter().enumerate() {
                    if place > 0 {
                        self.text.push(b',');
                    }
                    self.value(value, kind)?;
                }
                self.text.push(b']');
            }
            Value::Map(values) => {
                let entry = kind.as_message().and_then(|entry| entry.get_field_by_name("value"));
                let kind = entry.map_or_else(|| kind.clone(), |value| value.kind());
                let mut values: Vec<(&MapKey, &Value)> = values.iter().collect();
                // Equal messages have equal texts.
                values.sort_unstable_by_key(|(key, _)| *key);
                let mut before = b'{';
                for (key, value) in values {
                    self.key(before, &named(key));
                    self.value(value, &kind)?;
                    before = b',';
                }
                if before == b'{' {
                    self.text.push(before);
                }
                self.text.push(b'}');
            }
        }
        Ok(())
    }

    fn key(&mut self, before: u8, name: &str) {
        self.text.push(before);
        self.plain(name);
        self.text.push(b':');
    }

    fn enumerated(&mut self, number: i32, kind: &Kind) {
        let known = kind.as_enum();
        if known.is_some_and(|known| known.full_name() == "google.protobuf.NullValue") {
            return self.text.extend_from_slice(b"null");
        }
        match known.and_then(|known| known.get_value(number)) {
            Some(known) => self.plain(known.name()),
            None => self.plain(&number),
        }
    }

    fn plain(&mut self, value: &(impl Serialize + ?Sized)) {
        // Writing to a vector does not fail, and these values have texts.
        _ = serde_json::to_writer(&mut *self.text, value);
    }
}

fn named(key: &MapKey) -> String {
    match key {
        MapKey::Bool(key) => key.to_string(),
        MapKey::I32(key) => key.to_string(),
        MapKey::I64(key) => key.to_string(),
        MapKey::U32(key) => key.to_string(),
        MapKey::U64(key) => key.to_string(),
        MapKey::String(key) => key.clone(),
    }
}
