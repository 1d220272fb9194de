//! Where a value is: a path of names into a record, or into the items of a list in it.

use std::fmt;

use serde_json::Value;

/// Names of fields, from the outside in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldPath(Vec<String>);

impl FieldPath {
    /// A field of what this path leads to.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        let mut names = self.0.clone();
        names.push(name.to_owned());
        Self(names)
    }

    /// Whether it leads nowhere else.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many names it has.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Its last name.
    pub fn last(&self) -> Option<&str> {
        self.0.last().map(String::as_str)
    }

    /// The name before its last one.
    pub fn parent(&self) -> Option<&str> {
        self.0.iter().rev().nth(1).map(String::as_str)
    }

    /// Whether it leads to the field of a name, and no further.
    pub fn is_field(&self, name: &str) -> bool {
        matches!(&self.0[..], [only] if only == name)
    }

    /// The value that it leads to, unless it is null.
    pub fn get<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        let mut found = value;
        for name in &self.0 {
            found = found.as_object()?.get(name.as_str())?;
        }
        Some(found).filter(|found| !found.is_null())
    }

    /// The path as `from_json` reads it: `$.properties["product id"]`.
    pub fn declared(&self) -> String {
        let names = self.0.iter().map(|name| match is_plain(name) {
            true => format!(".{name}"),
            false => format!("[\"{}\"]", name.replace('"', "\"\"")),
        });
        format!("${}", names.collect::<String>())
    }
}

/// Whether a name needs no quotes in a path.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
}

/// For people: `properties.product_id`, on one line.
impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, name) in self.0.iter().enumerate() {
            let dot = if place > 0 { "." } else { "" };
            match is_plain(name) {
                true => write!(f, "{dot}{name}")?,
                false => write!(f, "{dot}\"{}\"", name.escape_debug())?,
            }
        }
        Ok(())
    }
}

/// Where a value is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The list whose items have the value; `None` if the record itself has it.
    pub list: Option<FieldPath>,
    /// The path from the record, or from the item; empty for an item that is the value.
    pub path: FieldPath,
}

impl Place {
    /// Parses `properties.product_id` or `items[].id`, as presets write it: names without special characters.
    pub fn parse(text: &str) -> Self {
        let path = |text: &str| {
            let names = text.split('.').filter(|name| !name.is_empty());
            names.fold(FieldPath::default(), |path, name| path.child(name))
        };
        match text.split_once("[]") {
            Some((list, rest)) => Self {
                list: Some(path(list)),
                path: path(rest),
            },
            None => Self {
                list: None,
                path: path(text),
            },
        }
    }

    /// The same, one name further.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        Self {
            list: self.list.clone(),
            path: self.path.child(name),
        }
    }

    /// Its name: the last one of its path, or that of its list.
    pub fn name(&self) -> &str {
        let list = || self.list.as_ref().and_then(FieldPath::last);
        self.path.last().or_else(list).unwrap_or_default()
    }

    /// What its name belongs to: the name before it.
    pub fn parent(&self) -> Option<&str> {
        match (self.path.len(), &self.list) {
            (0, Some(list)) => list.parent(),
            (1, Some(list)) => list.last(),
            _ => self.path.parent(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.list {
            None => write!(f, "{}", self.path),
            Some(list) if self.path.is_empty() => write!(f, "{list}[]"),
            Some(list) => write!(f, "{list}[].{}", self.path),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_place_reads_as_it_is_written() {
        for text in ["a", "properties.product_id", "items[]", "items[].id", "a.b[].c.d"] {
            assert_eq!(Place::parse(text).to_string(), text);
        }
        let id = Place::parse("a.items[].product.id");
        assert_eq!((id.name(), id.parent()), ("id", Some("product")));
        let id = Place::parse("a.items[].id");
        assert_eq!((id.name(), id.parent()), ("id", Some("items")));
        let ids = Place::parse("a.content_ids[]");
        assert_eq!((ids.name(), ids.parent()), ("content_ids", Some("a")));
    }

    #[test]
    fn names_are_quoted_where_they_need_it() {
        let path = FieldPath::default()
            .child("größe")
            .child("a \"b'")
            .child("")
            .child("c.d");
        assert_eq!(path.declared(), "$.größe[\"a \"\"b'\"][\"\"][\"c.d\"]");
        assert_eq!(path.to_string(), "größe.\"a \\\"b\\'\".\"\".\"c.d\"");
        assert_eq!(FieldPath::default().child("a\nb").to_string(), "\"a\\nb\"");
    }

    #[test]
    fn a_path_leads_to_a_value() {
        let record = json!({"a": {"b": 1, "c": null}, "l": [{"a": 2}]});
        let get = |text: &str| Place::parse(text).path.get(&record).cloned();
        assert_eq!(get("a.b"), Some(json!(1)));
        assert_eq!((get("a.c"), get("a.b.c"), get("l.a")), (None, None, None));
    }
}
