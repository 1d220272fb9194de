//! What the fields of a sample look like: where values are, of which types, how many, how often they repeat. Bounded:
//! the numbers of fields, levels, items of a list and different values that are remembered have limits.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::place::{FieldPath, Place};
use super::times::TimeFits;

const FIELDS_MAX: usize = 500;
const DEPTH_MAX: usize = 8;
/// Items of a list in one record.
const ITEMS_MAX: usize = 500;
/// Different values of a field.
const DISTINCT_MAX: usize = 10_000;
/// Letters of a value.
const LETTERS_MAX: usize = 100;

/// The fields of records.
#[derive(Debug, Default)]
pub(super) struct Shape {
    seen: Vec<Seen>,
    places: HashMap<Place, usize>,
    records: usize,
    /// The number of items, by list.
    lists: HashMap<FieldPath, usize>,
}

/// The plain values of a field.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub place: Place,
    /// How many values there are, without nulls and empty texts.
    pub present: usize,
    pub texts: usize,
    /// Numbers that are integers of 64 bits.
    pub integers: usize,
    pub numbers: usize,
    pub booleans: usize,
    /// Different values, cut, and how often each occurs.
    pub values: HashMap<String, usize>,
    /// Values that are the same as the one before.
    pub repeats: usize,
    pub times: TimeFits,
    last: String,
}

impl Shape {
    pub fn of<'v>(records: impl IntoIterator<Item = &'v Value>) -> Self {
        let mut shape = Self::default();
        for record in records {
            shape.records += 1;
            if let Value::Object(fields) = record {
                shape.object(&Place::default(), fields, 0);
            }
        }
        shape
    }

    /// The fields, in the order in which they first occur.
    pub fn fields(&self) -> impl Iterator<Item = &Seen> {
        self.seen.iter()
    }

    /// A field that has values.
    pub fn field(&self, place: &Place) -> Option<&Seen> {
        self.places.get(place).map(|index| &self.seen[*index])
    }

    /// The lists that have items, shortest path first.
    pub fn lists(&self) -> Vec<&FieldPath> {
        let mut lists: Vec<&FieldPath> = self.lists.keys().collect();
        lists.sort_by_key(|list| (list.len(), *list));
        lists
    }

    /// Of how many records, or items of its list, a field could have a value.
    pub fn parents(&self, place: &Place) -> usize {
        match &place.list {
            None => self.records,
            Some(list) => self.lists.get(list).copied().unwrap_or_default(),
        }
    }

    /// In how many of a hundred records, or items, a field has a value.
    pub fn coverage(&self, seen: &Seen) -> usize {
        100 * seen.present / self.parents(&seen.place).max(1)
    }

    fn object(&mut self, place: &Place, fields: &Map<String, Value>, depth: usize) {
        for (name, value) in fields {
            self.value(place.child(name), value, depth + 1);
        }
    }

    fn value(&mut self, place: Place, value: &Value, depth: usize) {
        match value {
            Value::Null => {}
            Value::Object(fields) if depth < DEPTH_MAX => self.object(&place, fields, depth),
            Value::Array(items) if place.list.is_none() && depth < DEPTH_MAX => self.items(&place.path, items, depth),
            // Lists in lists cannot become rows of events.
            Value::Object(_) | Value::Array(_) => {}
            plain => self.plain(place, plain),
        }
    }

    fn items(&mut self, list: &FieldPath, items: &[Value], depth: usize) {
        if items.is_empty() || (self.lists.len() == FIELDS_MAX && !self.lists.contains_key(list)) {
            return;
        }
        let looked_at = items.len().min(ITEMS_MAX);
        *self.lists.entry(list.clone()).or_default() += looked_at;
        let place = Place {
            list: Some(list.clone()),
            path: FieldPath::default(),
        };
        for item in &items[..looked_at] {
            match item {
                Value::Object(fields) => self.object(&place, fields, depth),
                item => self.value(place.clone(), item, depth),
            }
        }
    }

    fn plain(&mut self, place: Place, value: &Value) {
        let index = match self.places.get(&place) {
            Some(index) => *index,
            None if self.seen.len() == FIELDS_MAX => return,
            None => {
                self.places.insert(place.clone(), self.seen.len());
                self.seen.push(Seen {
                    place,
                    ..Seen::default()
                });
                self.seen.len() - 1
            }
        };
        self.seen[index].add(value);
    }
}

impl Seen {
    fn add(&mut self, value: &Value) {
        let text = match value {
            Value::String(text) => text.trim().chars().take(LETTERS_MAX).collect(),
            other => other.to_string(),
        };
        if text.is_empty() {
            return;
        }
        self.present += 1;
        match value {
            Value::String(_) => self.texts += 1,
            Value::Number(number) if number.is_i64() => self.integers += 1,
            Value::Number(_) => self.numbers += 1,
            _ => self.booleans += 1,
        }
        self.times.add(value);
        self.repeats += usize::from(self.last == text);
        self.last.clone_from(&text);
        if self.values.len() < DISTINCT_MAX || self.values.contains_key(&text) {
            *self.values.entry(text).or_default() += 1;
        }
    }

    /// How many different values it has.
    pub fn distinct(&self) -> usize {
        self.values.len()
    }

    /// Its values with how often each occurs, the commonest first.
    pub fn commonest(&self) -> Vec<(&str, usize)> {
        let mut values: Vec<(&str, usize)> = self
            .values
            .iter()
            .map(|(value, count)| (value.as_str(), *count))
            .collect();
        values.sort_by_key(|(value, count)| (std::cmp::Reverse(*count), *value));
        values
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_found_in_objects_and_in_the_items_of_lists() {
        let records = [
            json!({"id": 1, "user": {"id": "u"}, "items": [{"id": 1.5}, {"id": null}], "tags": ["a", "a"]}),
            json!({"id": " ", "user": {"id": "u"}, "items": [[{"deep": 1}]], "ok": true}),
        ];
        let shape = Shape::of(&records);
        let places: Vec<String> = shape.fields().map(|seen| seen.place.to_string()).collect();
        assert_eq!(places.len(), 5, "{places:?}");
        let field = |text: &str| shape.field(&Place::parse(text)).unwrap();
        assert_eq!((field("id").present, field("id").integers), (1, 1));
        assert_eq!((field("user.id").texts, field("user.id").repeats), (2, 1));
        assert_eq!(field("user.id").commonest(), [("u", 2)]);
        assert_eq!(
            (field("items[].id").numbers, shape.parents(&Place::parse("items[].id"))),
            (1, 3)
        );
        assert_eq!((field("tags[]").present, field("tags[]").distinct()), (2, 1));
        assert_eq!(
            (shape.coverage(field("id")), shape.coverage(field("items[].id"))),
            (50, 33)
        );
        assert_eq!(shape.lists().len(), 2);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let wide: Map<String, Value> = (0..2_000).map(|n| (format!("f{n}"), json!(n))).collect();
        let mut deep = json!(1);
        for _ in 0..100 {
            deep = json!({ "a": deep });
        }
        let records = [Value::Object(wide), deep, json!({"t": "x".repeat(1_000)})];
        assert_eq!(Shape::of(&records).fields().count(), FIELDS_MAX);
        let long = json!({"t": "ü".repeat(1_000), "l": vec![1; 2_000]});
        let shape = Shape::of([&long]);
        assert!(
            shape
                .fields()
                .all(|seen| seen.commonest()[0].0.chars().count() <= LETTERS_MAX)
        );
        assert_eq!(shape.parents(&Place::parse("l[]")), ITEMS_MAX);
    }
}
