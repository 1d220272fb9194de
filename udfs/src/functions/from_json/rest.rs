//! The fields of a record that no column takes, exactly as they were sent: digits, escapes, repeated names and all.

use std::fmt::{self, Write as _};

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::names::place_of;
use super::storage::Texts;

/// Appends the fields without a name in `names`, and those that `is_kept` says, as one object; NULL if there are none. A
/// null field counts as missing. The record is known to be an object.
pub(super) fn append_rest(text: &str, names: &[&str], is_kept: impl Fn(usize) -> bool, rest: &mut Texts) {
    let fields = Fields {
        names,
        is_kept,
        rest: &mut *rest,
    };
    let mut parser = serde_json::Deserializer::from_str(text);
    match Deserializer::deserialize_map(&mut parser, fields) {
        Ok(true) => rest.append("}"),
        _ => rest.append_null(),
    }
}

struct Fields<'f, F> {
    names: &'f [&'f str],
    is_kept: F,
    rest: &'f mut Texts,
}

impl<'r, F: Fn(usize) -> bool> Visitor<'r> for Fields<'_, F> {
    /// Whether there are any.
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'r>>(self, mut fields: A) -> Result<bool, A::Error> {
        let mut before = '{';
        while let Some((name, value)) = fields.next_entry::<&RawValue, &RawValue>()? {
            let (name, value) = (name.get(), value.get());
            if value != "null" && place_of(name, self.names).is_none_or(&self.is_kept) {
                // Writing to memory does not fail.
                _ = write!(self.rest, "{before}{name}:{value}");
                before = ',';
            }
        }
        Ok(before == ',')
    }
}
