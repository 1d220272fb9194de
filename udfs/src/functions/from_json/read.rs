//! Reads JSON objects into builders.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::builder::{Builder, Map, Object};
use super::json::Json;
use super::names::{Key, Name};
use super::place::Part;
use super::reading::Reading;
use super::tree::Node;

/// What ends the fast attempt at a record. It is never shown.
const UNFIT: &str = "a value does not fit";

/// Reads a record into a row of its columns, and returns whether it has fields that no column takes whole.
///
/// # Errors
/// When it is not a JSON object or, unless it is read carefully, has values that do not fit. Then some columns have the
/// row, and others do not.
pub(super) fn read_record<'r>(
    text: &'r str,
    record: &mut Object<'_>,
    row: usize,
    reading: &mut Reading<'r>,
) -> Result<bool, serde_json::Error> {
    let mut parser = serde_json::Deserializer::from_str(text);
    let visitor = Record {
        object: &mut *record,
        row,
        reading,
    };
    let has_others = Deserializer::deserialize_map(&mut parser, visitor)?;
    parser.end()?;
    record.fill(row);
    Ok(has_others)
}

struct Record<'b, 's, 'r> {
    object: &'b mut Object<'s>,
    row: usize,
    reading: &'b mut Reading<'r>,
}

impl<'r> Visitor<'r> for Record<'_, '_, 'r> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'r>>(self, fields: A) -> Result<bool, A::Error> {
        let object = self.object;
        read_fields(&object.tree, &mut object.columns, self.row, self.reading, fields)
    }
}

/// Reads the fields of an object, and returns whether it has others than columns take whole.
fn read_fields<'s, 'r, A: MapAccess<'r>>(
    node: &Node<'s>,
    columns: &mut [Builder<'s>],
    row: usize,
    reading: &mut Reading<'r>,
    mut fields: A,
) -> Result<bool, A::Error> {
    let mut has_others = false;
    let mut expected = 0;
    while let Some(found) = fields.next_key_seed(Name::new(&node.names, expected, reading.careful))? {
        let Some(place) = found else {
            fields.next_value::<IgnoredAny>()?;
            has_others = true;
            continue;
        };
        // Fields usually come in the order in which they are declared.
        expected = place + 1;
        let below = &node.fields[place];
        has_others |= below.columns.is_empty();
        let part = || Part::Field(node.names[place].to_owned());
        if columns[below.first].len() > row {
            if !reading.careful {
                return Err(A::Error::custom(UNFIT));
            }
            let sent: &'r RawValue = fields.next_value()?;
            reading.twice(part(), Some(sent.get()));
            continue;
        }
        reading.within(part, |reading| {
            fields.next_value_seed(Below {
                node: below,
                columns: &mut *columns,
                row,
                reading,
            })
        })?;
    }
    Ok(has_others)
}

/// Reads the items of a list whose indexes are declared.
fn read_items<'s, 'r, A: SeqAccess<'r>>(
    node: &Node<'s>,
    columns: &mut [Builder<'s>],
    row: usize,
    reading: &mut Reading<'r>,
    mut items: A,
) -> Result<(), A::Error> {
    let mut place = 0;
    loop {
        let is_there = match node.items.iter().find(|(index, _)| *index == place) {
            Some((_, node)) => {
                let read = |reading: &mut Reading<'r>| {
                    items.next_element_seed(Below {
                        node,
                        columns: &mut *columns,
                        row,
                        reading,
                    })
                };
                reading.within(|| Part::Index(place), read)?.is_some()
            }
            None => items.next_element::<IgnoredAny>()?.is_some(),
        };
        if !is_there {
            return Ok(());
        }
        place += 1;
    }
}

/// Reads the value at a place that paths lead to or through.
struct Below<'b, 's, 'r> {
    node: &'b Node<'s>,
    columns: &'b mut [Builder<'s>],
    row: usize,
    reading: &'b mut Reading<'r>,
}

impl<'r> DeserializeSeed<'r> for Below<'_, '_, 'r> {
    type Value = ();

    fn deserialize<D: Deserializer<'r>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.node.columns[..] {
            [column] if !self.reading.careful && !self.node.has_more() => {
                Value::new(&mut self.columns[column], self.reading).deserialize(deserializer)
            }
            [] if !self.reading.careful => self.read_more(deserializer),
            _ => {
                let sent: &'r RawValue = Deserialize::deserialize(deserializer)?;
                self.read_text(sent.get())
            }
        }
    }
}

impl<'s, 'r> Below<'_, 's, 'r> {
    /// Reads a value from its text: once for each column that takes it, and once for those that take a part of it.
    fn read_text<E: Error>(mut self, sent: &'r str) -> Result<(), E> {
        for column in &self.node.columns {
            let builder = &mut self.columns[*column];
            let read = |reading: &mut Reading<'r>| Value::new(builder, reading).read_text::<E>(sent);
            self.reading.of_column(*column, read)?;
        }
        if self.node.has_more() && sent.starts_with(['{', '[']) {
            let mut parser = serde_json::Deserializer::from_str(sent);
            return self.read_more(&mut parser).map_err(E::custom);
        }
        self.fill();
        Ok(())
    }

    /// Reads the parts of a value that columns take.
    fn read_more<D: Deserializer<'r>>(mut self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self.again())?;
        self.fill();
        Ok(())
    }

    /// Appends NULL to the columns that have found nothing here.
    fn fill(&mut self) {
        let (columns, row) = (&mut *self.columns, self.row);
        self.node.each_column(&mut |column: usize| {
            if columns[column].len() == row {
                columns[column].append_null();
            }
        });
    }

    fn again(&mut self) -> Below<'_, 's, 'r> {
        Below {
            node: self.node,
            columns: &mut *self.columns,
            row: self.row,
            reading: &mut *self.reading,
        }
    }
}

/// A path through a value that is neither an object nor a list leads nowhere.
impl<'r> Visitor<'r> for Below<'_, '_, 'r> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'r>>(self, items: A) -> Result<(), A::Error> {
        read_items(self.node, self.columns, self.row, self.reading, items)
    }

    fn visit_map<A: MapAccess<'r>>(self, fields: A) -> Result<(), A::Error> {
        read_fields(self.node, self.columns, self.row, self.reading, fields).map(|_| ())
    }
}

/// Reads one value into its column.
struct Value<'b, 's, 'r> {
    builder: &'b mut Builder<'s>,
    reading: &'b mut Reading<'r>,
    /// Its text, if it is known.
    sent: Option<&'r str>,
}

impl<'b, 's, 'r> Value<'b, 's, 'r> {
    fn new(builder: &'b mut Builder<'s>, reading: &'b mut Reading<'r>) -> Self {
        Self {
            builder,
            reading,
            sent: None,
        }
    }

    fn read_text<E: Error>(mut self, sent: &'r str) -> Result<(), E> {
        self.sent = Some(sent);
        if let Builder::Leaf(leaf) = &mut *self.builder
            && leaf.append_json(sent)
        {
            return Ok(());
        }
        match sent.as_bytes().first() {
            Some(first) if self.builder.bracket() == Some(*first) => {
                let mut parser = serde_json::Deserializer::from_str(sent);
                Deserializer::deserialize_any(&mut parser, self).map_err(E::custom)
            }
            Some(b'-' | b'0'..=b'9') if self.builder.reads_text() => self.append(&Json::Digits),
            _ => self.append(&Json::of(sent)),
        }
    }

    /// Appends a value; one of another type than the column's is NULL, and noted.
    fn append<E: Error>(self, value: &Json<'_>) -> Result<(), E> {
        if let Json::Null = value {
            self.builder.append_null();
            return Ok(());
        }
        if let Builder::Leaf(leaf) = &mut *self.builder
            && leaf.append(value, self.sent, self.reading.widen)
        {
            return Ok(());
        }
        match self.sent {
            Some(sent) if self.reading.careful => {
                let why = self.builder.misfit(value, sent);
                self.builder.append_null();
                self.reading.unfit(why, sent);
                Ok(())
            }
            _ => Err(E::custom(UNFIT)),
        }
    }
}

impl<'r> DeserializeSeed<'r> for Value<'_, '_, 'r> {
    type Value = ();

    fn deserialize<D: Deserializer<'r>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.reading.careful || self.builder.reads_text() {
            let sent: &'r RawValue = Deserialize::deserialize(deserializer)?;
            return self.read_text(sent.get());
        }
        deserializer.deserialize_any(self)
    }
}

impl<'r> Visitor<'r> for Value<'_, '_, 'r> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.append(&Json::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.append(&Json::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.append(&Json::Integer(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.append(&Json::unsigned(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.append(&Json::Number(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.append(&Json::Text(value.into()))
    }

    fn visit_seq<A: SeqAccess<'r>>(self, mut items: A) -> Result<(), A::Error> {
        // Only the fast attempt comes here with another builder: `read_text` looks at the first character.
        let Builder::List(list) = self.builder else {
            return Err(A::Error::custom(UNFIT));
        };
        let mut place = 0;
        loop {
            let read = |reading: &mut Reading<'r>| items.next_element_seed(Value::new(&mut list.items, reading));
            if self.reading.within(|| Part::Item(place), read)?.is_none() {
                list.close();
                return Ok(());
            }
            place += 1;
        }
    }

    fn visit_map<A: MapAccess<'r>>(self, fields: A) -> Result<(), A::Error> {
        match self.builder {
            Builder::Struct(object) => {
                let row = object.len();
                let Object { tree, columns } = &mut object.object;
                read_fields(tree, columns, row, self.reading, fields)?;
                object.close();
                Ok(())
            }
            Builder::Map(map) => read_entries(map, self.reading, fields),
            Builder::Leaf(_) | Builder::List(_) => Err(A::Error::custom(UNFIT)),
        }
    }
}

/// Reads an object into a map.
fn read_entries<'r, A: MapAccess<'r>>(
    map: &mut Map<'_>,
    reading: &mut Reading<'r>,
    mut entries: A,
) -> Result<(), A::Error> {
    while let Some(key) = entries.next_key_seed(Key::new(&mut map.keys, reading.careful))? {
        if let Err(sent) = key {
            entries.next_value::<IgnoredAny>()?;
            reading.unfit("not Unicode text".into(), sent);
            continue;
        }
        let part = || Part::Key(map.keys.last());
        reading.within(part, |reading| {
            entries.next_value_seed(Value::new(&mut map.values, reading))
        })?;
    }
    match map.close() {
        Some(_) if !reading.careful => return Err(A::Error::custom(UNFIT)),
        Some(key) => reading.twice(Part::Key(key), None),
        None => {}
    }
    Ok(())
}
