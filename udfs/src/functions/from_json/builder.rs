//! Builds a column of any type. Each row appends one value, or takes back what it has appended.

use std::borrow::Cow;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, ListArray, MapArray, NullBufferBuilder, StructArray};
use datafusion::arrow::datatypes::{DataType, Fields};
use datafusion::common::{Result, exec_err};

use super::json::Json;
use super::leaf::Leaf;
use super::storage::{Offsets, Texts};
use super::tree::Node;
use crate::functions::columns::{Column, Kind};

/// A column builder.
pub(super) enum Builder<'s> {
    Leaf(Leaf<'s>),
    List(List<'s>),
    Map(Map<'s>),
    Struct(Struct<'s>),
}

/// Lists of values.
pub(super) struct List<'s> {
    pub items: Box<Builder<'s>>,
    offsets: Offsets,
    nulls: NullBufferBuilder,
}

/// Values by their keys.
pub(super) struct Map<'s> {
    pub keys: Texts,
    pub values: Box<Builder<'s>>,
    offsets: Offsets,
    nulls: NullBufferBuilder,
    /// For sorting the keys of a row.
    order: Vec<usize>,
}

/// Objects with declared fields.
pub(super) struct Struct<'s> {
    pub object: Object<'s>,
    nulls: NullBufferBuilder,
}

/// The columns of an object, and where their values are in it.
pub(super) struct Object<'s> {
    pub tree: Node<'s>,
    pub columns: Vec<Builder<'s>>,
}

impl<'s> Builder<'s> {
    /// Sets aside memory for so many rows; the values in lists and maps may be any number.
    fn new(kind: &'s Kind, rows: usize) -> Option<Self> {
        Some(match kind {
            Kind::List(items) => Self::List(List {
                items: Box::new(Builder::new(items, 0)?),
                offsets: Offsets::new(rows),
                nulls: NullBufferBuilder::new(rows),
            }),
            Kind::Map(values) => Self::Map(Map {
                keys: Texts::new(0),
                values: Box::new(Builder::new(values, 0)?),
                offsets: Offsets::new(rows),
                nulls: NullBufferBuilder::new(rows),
                order: vec![],
            }),
            Kind::Struct(columns) => Self::Struct(Struct {
                object: Object::new(columns, rows),
                nulls: NullBufferBuilder::new(rows),
            }),
            kind => Self::Leaf(Leaf::new(kind, rows)?),
        })
    }

    pub fn len(&self) -> usize {
        match self {
            Self::Leaf(leaf) => leaf.len(),
            Self::List(list) => list.offsets.len(),
            Self::Map(map) => map.offsets.len(),
            Self::Struct(object) => object.nulls.len(),
        }
    }

    pub fn append_null(&mut self) {
        match self {
            Self::Leaf(leaf) => leaf.append_null(),
            Self::List(list) => {
                list.offsets.append(list.items.len());
                list.nulls.append_null();
            }
            Self::Map(map) => {
                map.offsets.append(map.keys.len());
                map.nulls.append_null();
            }
            Self::Struct(object) => {
                object.object.columns.iter_mut().for_each(Builder::append_null);
                object.nulls.append_null();
            }
        }
    }

    /// Takes back all rows from this one on, also one that is not complete.
    pub fn truncate(&mut self, rows: usize) {
        match self {
            Self::Leaf(leaf) => leaf.truncate(rows),
            Self::List(list) => {
                list.offsets.truncate(rows);
                list.items.truncate(list.offsets.start(rows));
                list.nulls.truncate(rows);
            }
            Self::Map(map) => {
                map.offsets.truncate(rows);
                map.keys.truncate(map.offsets.start(rows));
                map.values.truncate(map.offsets.start(rows));
                map.nulls.truncate(rows);
            }
            Self::Struct(object) => {
                object.object.truncate(rows);
                object.nulls.truncate(rows);
            }
        }
    }

    /// Whether it needs the text of a value, and not only what serde_json makes of it.
    pub fn reads_text(&self) -> bool {
        matches!(self, Self::Leaf(leaf) if leaf.reads_text())
    }

    /// The first character of the lists or objects that it takes, if it is nested.
    pub fn bracket(&self) -> Option<u8> {
        match self {
            Self::Leaf(_) => None,
            Self::List(_) => Some(b'['),
            Self::Map(_) | Self::Struct(_) => Some(b'{'),
        }
    }

    /// Why a value does not fit.
    pub fn misfit(&self, value: &Json<'_>, sent: &str) -> Cow<'static, str> {
        let expected = match self {
            Self::Leaf(leaf) => return leaf.misfit(value, sent),
            Self::List(_) => "array",
            Self::Map(_) | Self::Struct(_) => "object",
        };
        format!("expected {expected}, found {}", value.name()).into()
    }

    pub fn finish(self, data_type: &DataType) -> Result<ArrayRef> {
        Ok(match (self, data_type) {
            (Self::Leaf(leaf), data_type) => leaf.finish(data_type)?,
            (Self::List(mut list), DataType::List(item)) => {
                let items = list.items.finish(item.data_type())?;
                let offsets = list.offsets.finish(items.len())?;
                Arc::new(ListArray::try_new(item.clone(), offsets, items, list.nulls.finish())?)
            }
            (Self::Map(mut map), DataType::Map(entries, _)) => {
                let DataType::Struct(fields) = entries.data_type() else {
                    return exec_err!("from_json: a map has entries, not {}", entries.data_type());
                };
                let [_, value] = &fields[..] else {
                    return exec_err!("from_json: an entry of a map has two fields, not {}", fields.len());
                };
                let columns = vec![map.keys.finish()?, map.values.finish(value.data_type())?];
                let content = StructArray::try_new(fields.clone(), columns, None)?;
                let offsets = map.offsets.finish(content.len())?;
                let nulls = map.nulls.finish();
                Arc::new(MapArray::try_new(entries.clone(), offsets, content, nulls, false)?)
            }
            (Self::Struct(mut object), DataType::Struct(fields)) => {
                let columns = object.object.finish(fields)?;
                Arc::new(StructArray::try_new(fields.clone(), columns, object.nulls.finish())?)
            }
            (_, data_type) => return exec_err!("from_json: a column cannot become {data_type}"),
        })
    }
}

impl List<'_> {
    /// Ends a list.
    pub fn close(&mut self) {
        self.offsets.append(self.items.len());
        self.nulls.append_non_null();
    }
}

impl Map<'_> {
    /// Ends a map. Returns a key that it has twice.
    pub fn close(&mut self) -> Option<String> {
        let keys = self.offsets.start(self.offsets.len())..self.keys.len();
        self.offsets.append(keys.end);
        self.nulls.append_non_null();
        self.order.clear();
        self.order.extend(keys);
        let key = |place: usize| self.keys.value(place);
        self.order.sort_unstable_by(|left, right| key(*left).cmp(key(*right)));
        let twice = self.order.windows(2).find(|pair| key(pair[0]) == key(pair[1]))?;
        Some(String::from_utf8_lossy(key(twice[0])).into_owned())
    }
}

impl Struct<'_> {
    pub fn len(&self) -> usize {
        self.nulls.len()
    }

    /// Ends an object.
    pub fn close(&mut self) {
        self.object.fill(self.nulls.len());
        self.nulls.append_non_null();
    }
}

impl<'s> Object<'s> {
    /// The rest has no builder.
    pub fn new(columns: &'s [Column], rows: usize) -> Self {
        let typed = columns.iter().filter(|column| !column.is_rest());
        Self {
            tree: Node::root(columns.iter()),
            columns: typed.filter_map(|column| Builder::new(&column.kind, rows)).collect(),
        }
    }

    /// Appends NULL to the columns that have no value in a row.
    pub fn fill(&mut self, row: usize) {
        for column in &mut self.columns {
            if column.len() == row {
                column.append_null();
            }
        }
    }

    pub fn truncate(&mut self, rows: usize) {
        for column in &mut self.columns {
            column.truncate(rows);
        }
    }

    /// The arrays of these fields.
    pub fn finish(self, fields: &Fields) -> Result<Vec<ArrayRef>> {
        let columns = self.columns.into_iter().zip(fields);
        columns
            .map(|(column, field)| column.finish(field.data_type()))
            .collect()
    }
}
