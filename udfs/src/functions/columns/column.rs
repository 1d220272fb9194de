//! Columns and their types.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};

/// A declared column, or a field of a struct.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::functions) struct Column {
    pub name: String,
    pub kind: Kind,
    /// Where its value is in a record: in the field of its name unless declared otherwise. Empty for [`Kind::Rest`].
    pub path: Vec<Step>,
}

/// A step of a path.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::functions) enum Step {
    /// Into a field of an object.
    Name(String),
    /// To an index in a list, counted from 0.
    Index(usize),
}

/// A type.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::functions) enum Kind {
    String,
    BigInt,
    Int,
    Double,
    Float,
    Boolean,
    /// Its precision and scale.
    Decimal(u8, i8),
    /// A time as text in one of the formats; without any, as RFC 3339 says.
    Timestamp(Vec<String>),
    /// A time as a number of such units since 1970.
    Epoch(TimeUnit),
    /// A day as text in one of the formats; without any, YYYY-MM-DD.
    Date(Vec<String>),
    /// Any value, as its text.
    Json,
    /// The fields that no other column takes, as the text of one object. Only a column of a record has this type.
    Rest,
    List(Box<Kind>),
    /// From text to values of a type.
    Map(Box<Kind>),
    Struct(Vec<Column>),
}

impl Column {
    /// Its Arrow field, which may be null.
    pub fn field(&self) -> Field {
        Field::new(&self.name, self.kind.data_type(), true)
    }

    pub fn is_rest(&self) -> bool {
        matches!(self.kind, Kind::Rest)
    }

    /// Whether its value is elsewhere than in the field of its name.
    pub fn is_elsewhere(&self) -> bool {
        match &self.path[..] {
            [] => false,
            [Step::Name(name)] => *name != self.name,
            _ => true,
        }
    }
}

impl Kind {
    /// Its Arrow type. Times are in microseconds and UTC.
    pub fn data_type(&self) -> DataType {
        match self {
            Self::String | Self::Json | Self::Rest => DataType::Utf8,
            Self::BigInt => DataType::Int64,
            Self::Int => DataType::Int32,
            Self::Double => DataType::Float64,
            Self::Float => DataType::Float32,
            Self::Boolean => DataType::Boolean,
            Self::Decimal(precision, scale) => DataType::Decimal128(*precision, *scale),
            Self::Timestamp(_) | Self::Epoch(_) => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Date(_) => DataType::Date32,
            Self::List(items) => DataType::List(Arc::new(Field::new_list_field(items.data_type(), true))),
            Self::Map(values) => {
                let entry = vec![
                    Field::new("key", DataType::Utf8, false),
                    Field::new("value", values.data_type(), true),
                ];
                let entries = Field::new("entries", DataType::Struct(entry.into()), false);
                DataType::Map(Arc::new(entries), false)
            }
            Self::Struct(columns) => {
                let fields: Vec<FieldRef> = columns.iter().map(|column| Arc::new(column.field())).collect();
                DataType::Struct(fields.into())
            }
        }
    }

    /// How deep types are nested in it; 1 for a plain type.
    pub fn depth(&self) -> usize {
        1 + match self {
            Self::List(kind) | Self::Map(kind) => kind.depth(),
            Self::Struct(columns) => columns.iter().map(|column| column.kind.depth()).max().unwrap_or(0),
            _ => 0,
        }
    }
}
