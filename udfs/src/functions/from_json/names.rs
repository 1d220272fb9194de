//! The names of fields.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Visitor};
use serde_json::value::RawValue;

use super::json::unquoted;
use super::storage::Texts;

/// The index, among the declared names, of one that was sent, with its quotes.
pub(super) fn place_of(sent: &str, names: &[&str]) -> Option<usize> {
    let name = unquoted(sent)?;
    names.iter().position(|known| *known == name)
}

/// Maps a field's name to its index among the declared ones.
pub(super) struct Name<'n> {
    names: &'n [&'n str],
    /// The index that is tried first.
    expected: usize,
    careful: bool,
}

impl<'n> Name<'n> {
    pub fn new(names: &'n [&'n str], expected: usize, careful: bool) -> Self {
        Self {
            names,
            expected,
            careful,
        }
    }
}

impl<'r> DeserializeSeed<'r> for Name<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'r>>(self, deserializer: D) -> Result<Option<usize>, D::Error> {
        if !self.careful {
            return deserializer.deserialize_str(self);
        }
        // A name that no Rust string can hold is not declared.
        let sent: &'r RawValue = Deserialize::deserialize(deserializer)?;
        Ok(place_of(sent.get(), self.names))
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Option<usize>, E> {
        if self.names.get(self.expected).is_some_and(|known| *known == name) {
            return Ok(Some(self.expected));
        }
        Ok(self.names.iter().position(|known| *known == name))
    }
}

/// Appends a field's name to the keys of a map.
pub(super) struct Key<'b> {
    keys: &'b mut Texts,
    careful: bool,
}

impl<'b> Key<'b> {
    pub fn new(keys: &'b mut Texts, careful: bool) -> Self {
        Self { keys, careful }
    }
}

impl<'r> DeserializeSeed<'r> for Key<'_> {
    /// A name that no Rust string can hold is not appended.
    type Value = Result<(), &'r str>;

    fn deserialize<D: Deserializer<'r>>(self, deserializer: D) -> Result<Result<(), &'r str>, D::Error> {
        if !self.careful {
            return deserializer.deserialize_str(self);
        }
        let sent: &'r RawValue = Deserialize::deserialize(deserializer)?;
        let Some(key) = unquoted(sent.get()) else {
            return Ok(Err(sent.get()));
        };
        self.keys.append(&key);
        Ok(Ok(()))
    }
}

impl<'r> Visitor<'r> for Key<'_> {
    type Value = Result<(), &'r str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Result<(), &'r str>, E> {
        self.keys.append(key);
        Ok(Ok(()))
    }
}
