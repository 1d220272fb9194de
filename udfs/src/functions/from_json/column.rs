//! One declared field of all objects, built into an Arrow column.

use std::sync::Arc;

use chrono::{Datelike, Utc};
use datafusion::arrow::array::{
    ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder,
};
use datafusion::arrow::compute::kernels::cast_utils::string_to_datetime;
use datafusion::arrow::datatypes::DataType;

use super::json::Json;

/// Texts in error messages are cut to so many characters.
const SHOWN: usize = 40;

/// A column being built.
pub(super) enum Column {
    Text(StringBuilder),
    Integer(Int64Builder, std::ops::RangeInclusive<i64>),
    Number(Float64Builder),
    Bool(BooleanBuilder),
    Time(TimestampMicrosecondBuilder),
}

impl Column {
    /// `None` for a type that JSON has no value for.
    pub fn new(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Utf8 => Self::Text(StringBuilder::new()),
            DataType::Int64 => Self::Integer(Int64Builder::new(), i64::MIN..=i64::MAX),
            DataType::Int32 => Self::Integer(Int64Builder::new(), i64::from(i32::MIN)..=i64::from(i32::MAX)),
            DataType::Float64 | DataType::Float32 => Self::Number(Float64Builder::new()),
            DataType::Boolean => Self::Bool(BooleanBuilder::new()),
            DataType::Timestamp(_, zone) => {
                Self::Time(TimestampMicrosecondBuilder::new().with_timezone_opt(zone.clone()))
            }
            _ => return None,
        })
    }

    /// Appends a value, or NULL; the reason where the value does not fit the column, which then is NULL. With `widen`
    /// text takes whole numbers and booleans too.
    pub fn append(&mut self, value: Option<Json<'_>>, widen: bool) -> Result<(), String> {
        let Some(value) = value else {
            self.append_null();
            return Ok(());
        };
        let value = match value {
            Json::Integer(number) if widen && matches!(self, Self::Text(_)) => Json::Text(number.to_string().into()),
            Json::Bool(value) if widen && matches!(self, Self::Text(_)) => Json::Text(value.to_string().into()),
            other => other,
        };
        if self.append_fitting(&value) {
            return Ok(());
        }
        self.append_null();
        Err(match value {
            Json::Text(text) if matches!(self, Self::Time(_)) => {
                let shown: String = text.chars().take(SHOWN).collect();
                format!("not an RFC 3339 time: '{shown}'")
            }
            other => format!("expected {}, found {}", self.name(), other.describe()),
        })
    }

    /// Appends a value of the column's type; `false` for any other.
    fn append_fitting(&mut self, value: &Json<'_>) -> bool {
        match (self, value) {
            (Self::Text(column), Json::Text(text)) => column.append_value(text),
            (Self::Integer(column, range), Json::Integer(number)) if range.contains(number) => {
                column.append_value(*number);
            }
            (Self::Number(column), Json::Integer(number)) => column.append_value(*number as f64),
            (Self::Number(column), Json::Number(number)) => column.append_value(*number),
            (Self::Bool(column), Json::Bool(value)) => column.append_value(*value),
            (Self::Time(column), Json::Text(text)) => match micros(text) {
                Some(micros) => column.append_value(micros),
                None => return false,
            },
            _ => return false,
        }
        true
    }

    fn append_null(&mut self) {
        match self {
            Self::Text(column) => column.append_null(),
            Self::Integer(column, _) => column.append_null(),
            Self::Number(column) => column.append_null(),
            Self::Bool(column) => column.append_null(),
            Self::Time(column) => column.append_null(),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Text(_) => "string",
            Self::Integer(..) => "integer",
            Self::Number(_) => "number",
            Self::Bool(_) => "boolean",
            Self::Time(_) => "timestamp",
        }
    }

    pub fn finish(self) -> ArrayRef {
        match self {
            Self::Text(mut column) => Arc::new(column.finish()),
            Self::Integer(mut column, _) => Arc::new(column.finish()),
            Self::Number(mut column) => Arc::new(column.finish()),
            Self::Bool(mut column) => Arc::new(column.finish()),
            Self::Time(mut column) => Arc::new(column.finish()),
        }
    }
}

/// Microseconds since 1970; a time without zone is UTC.
fn micros(text: &str) -> Option<i64> {
    let at = string_to_datetime(&Utc, text).ok()?;
    (1..=9_999).contains(&at.year()).then(|| at.timestamp_micros())
}
