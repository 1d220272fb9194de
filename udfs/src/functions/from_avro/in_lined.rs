//! Avro schemas that refer to others, made one text.

use std::collections::HashMap;

use serde_json::{Map, Value};

/// How deep types may be nested in one another.
const NESTING_MAX: usize = 100;
const NAMED: [&str; 4] = ["record", "error", "enum", "fixed"];

/// A schema in which each named type of `references` is defined where its name stands first.
///
/// # Errors
/// When a text is not JSON, or types are nested too deeply.
pub fn in_lined<'a>(schema: &str, references: impl Iterator<Item = &'a str>) -> Result<String, String> {
    let parsed = |text: &str| serde_json::from_str::<Value>(text).map_err(|error| error.to_string());
    let mut types = Types::default();
    for text in references {
        types.add(parsed(text)?);
    }
    let mut schema = parsed(schema)?;
    types.define(&mut schema, "", 0)?;
    Ok(schema.to_string())
}

/// Types that are not defined yet, by their full names.
#[derive(Default)]
struct Types(HashMap<String, Value>);

impl Types {
    /// Adds a named type, or those of a union.
    fn add(&mut self, schema: Value) {
        match schema {
            Value::Array(branches) => branches.into_iter().for_each(|branch| self.add(branch)),
            Value::Object(mut object) => {
                let Some((name, namespace)) = named(&object, "") else {
                    return;
                };
                if !namespace.is_empty() {
                    // Where it is defined later, another namespace may surround it.
                    object.insert("namespace".to_owned(), namespace.into());
                }
                self.0.insert(name, Value::Object(object));
            }
            _ => {}
        }
    }

    /// Defines the types whose names occur in a schema, in this namespace.
    fn define(&mut self, schema: &mut Value, namespace: &str, depth: usize) -> Result<(), String> {
        if depth > NESTING_MAX {
            return Err(format!("types are nested more than {NESTING_MAX} deep"));
        }
        match schema {
            Value::String(name) => {
                let found = self
                    .0
                    .remove(&full(name, namespace))
                    .or_else(|| self.0.remove(name.as_str()));
                let Some(found) = found else { return Ok(()) };
                *schema = found;
                self.define(schema, namespace, depth + 1)
            }
            Value::Array(branches) => branches
                .iter_mut()
                .try_for_each(|branch| self.define(branch, namespace, depth + 1)),
            Value::Object(object) => self.define_within(object, namespace, depth + 1),
            _ => Ok(()),
        }
    }

    fn define_within(&mut self, object: &mut Map<String, Value>, outer: &str, depth: usize) -> Result<(), String> {
        let own = named(object, outer);
        if let Some((name, namespace)) = &own {
            // Its own definition is the first.
            self.0.remove(name);
            // The decoder finds a type again only if its name and its namespace stand apart.
            let simple = name.rsplit('.').next().unwrap_or_default();
            object.insert("name".to_owned(), simple.into());
            if !namespace.is_empty() {
                object.insert("namespace".to_owned(), namespace.as_str().into());
            }
        }
        let namespace = own.as_ref().map_or(outer, |(_, namespace)| namespace.as_str());
        for key in ["type", "items", "values"] {
            if let Some(inner) = object.get_mut(key) {
                self.define(inner, namespace, depth)?;
            }
        }
        let fields = object.get_mut("fields").and_then(Value::as_array_mut);
        for field in fields.into_iter().flatten() {
            if let Some(inner) = field.get_mut("type") {
                self.define(inner, namespace, depth)?;
            }
        }
        Ok(())
    }
}

/// The full name of a type, and its namespace, in this namespace; `None` if it has no name.
fn named(object: &Map<String, Value>, outer: &str) -> Option<(String, String)> {
    let text = |key: &str| object.get(key).and_then(Value::as_str);
    if !NAMED.contains(&text("type")?) {
        return None;
    }
    let name = text("name")?;
    let namespace = match name.rsplit_once('.') {
        Some((namespace, _)) => namespace,
        None => text("namespace").unwrap_or(outer),
    };
    Some((full(name, namespace), namespace.to_owned()))
}

fn full(name: &str, namespace: &str) -> String {
    match name.contains('.') || namespace.is_empty() {
        true => name.to_owned(),
        false => format!("{namespace}.{name}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;
    use crate::functions::from_avro::check_avro_schema;

    #[test]
    fn a_type_is_defined_where_its_name_stands_first() {
        let money = r#"{"type":"record","name":"Money","namespace":"org.shop","fields":[
            {"name":"amount","type":"long"},{"name":"currency","type":"Currency"}]}"#;
        let currency = r#"{"type":"enum","name":"org.shop.Currency","symbols":["EUR"]}"#;
        let order = r#"{"type":"record","name":"Order","namespace":"org.example","fields":[
            {"name":"price","type":["null","org.shop.Money"]},
            {"name":"shipping","type":{"type":"array","items":"org.shop.Money"}},
            {"name":"currency","type":"org.shop.Currency"}]}"#;
        let schema = in_lined(order, [currency, money].into_iter()).unwrap();
        check_avro_schema(&schema).unwrap();
        let schema: Value = serde_json::from_str(&schema).unwrap();
        let fields = &schema["fields"];
        assert_eq!(fields[0]["type"][1]["name"], json!("Money"));
        assert_eq!(fields[0]["type"][1]["fields"][1]["type"]["symbols"], json!(["EUR"]));
        assert_eq!(fields[1]["type"]["items"], json!("org.shop.Money"));
        assert_eq!(fields[2]["type"], json!("org.shop.Currency"));
    }

    #[test]
    fn what_is_not_referred_to_changes_nothing_and_circles_end() {
        let other = r#"{"type":"enum","name":"Other","symbols":["A"]}"#;
        let order = r#"{"fields":[{"name":"a","type":"long"}],"name":"Order","type":"record"}"#;
        let same: Value = serde_json::from_str(&in_lined(order, [other].into_iter()).unwrap()).unwrap();
        assert_eq!(same, serde_json::from_str::<Value>(order).unwrap());
        let list = r#"{"type":"record","name":"List","fields":[{"name":"next","type":["null","List"]}]}"#;
        let schema = in_lined("\"List\"", [list].into_iter()).unwrap();
        assert_eq!(schema.matches("fields").count(), 1);
        in_lined(order, ["{"].into_iter()).unwrap_err();
    }
}
