//! Builds one declared field of all objects as an Arrow column.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use chrono::{Datelike, Utc};
use datafusion::arrow::array::{
    ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder,
};
use datafusion::arrow::compute::kernels::cast_utils::string_to_datetime;
use datafusion::arrow::datatypes::DataType;

use super::json::Json;
use super::sent::integer_digits;

/// A column builder.
pub(super) enum Column {
    Text(StringBuilder),
    Integer(Int64Builder, std::ops::RangeInclusive<i64>),
    /// Contains the largest number it can hold.
    Number(Float64Builder, f64),
    Bool(BooleanBuilder),
    Time(TimestampMicrosecondBuilder),
}

impl Column {
    /// `None` for a type that has no JSON values.
    pub fn new(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Utf8 => Self::Text(StringBuilder::new()),
            DataType::Int64 => Self::Integer(Int64Builder::new(), i64::MIN..=i64::MAX),
            DataType::Int32 => Self::Integer(Int64Builder::new(), i64::from(i32::MIN)..=i64::from(i32::MAX)),
            DataType::Float64 => Self::Number(Float64Builder::new(), f64::MAX),
            DataType::Float32 => Self::Number(Float64Builder::new(), f64::from(f32::MAX)),
            DataType::Boolean => Self::Bool(BooleanBuilder::new()),
            DataType::Timestamp(_, zone) => {
                Self::Time(TimestampMicrosecondBuilder::new().with_timezone_opt(zone.clone()))
            }
            _ => return None,
        })
    }

    /// Appends a value if it fits; otherwise returns `false`. With `widen`, text also accepts integers and booleans.
    pub fn append(&mut self, value: &Json<'_>, widen: bool) -> bool {
        match (self, value) {
            (Self::Text(column), Json::Text(text)) => column.append_value(text),
            (Self::Text(column), Json::Integer(number)) if widen => {
                // Writing to a builder does not fail.
                _ = write!(column, "{number}");
                column.append_value("");
            }
            (Self::Text(column), Json::Bool(value)) if widen => {
                column.append_value(if *value { "true" } else { "false" });
            }
            (Self::Integer(column, range), Json::Integer(number)) if range.contains(number) => {
                column.append_value(*number);
            }
            (Self::Number(column, _), Json::Integer(number)) => column.append_value(*number as f64),
            (Self::Number(column, max), Json::Number(number)) if number.abs() <= *max => column.append_value(*number),
            (Self::Bool(column), Json::Bool(value)) => column.append_value(*value),
            (Self::Time(column), Json::Text(text)) => match micros(text) {
                Some(micros) => column.append_value(micros),
                None => return false,
            },
            _ => return false,
        }
        true
    }

    /// Appends a number with its original digits: to text, and, if it is an integer in another notation, to integers.
    pub fn append_digits(&mut self, sent: &str) -> bool {
        match self {
            Self::Text(column) => column.append_value(integer_digits(sent).as_deref().unwrap_or(sent)),
            Self::Integer(column, range) => {
                let number = integer_digits(sent).and_then(|digits| digits.parse().ok());
                match number.filter(|number| range.contains(number)) {
                    Some(number) => column.append_value(number),
                    None => return false,
                }
            }
            _ => return false,
        }
        true
    }

    /// Why a value does not fit.
    pub fn misfit(&self, value: &Json<'_>, sent: &str) -> Cow<'static, str> {
        let is_integer = || sent.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        match (self, value) {
            (Self::Time(_), Json::Text(_)) => "not an RFC 3339 time".into(),
            (Self::Text(_), Json::BrokenText) => "not Unicode text".into(),
            (Self::Number(..), number) if number.is_number() => "out of range".into(),
            (Self::Integer(..), number) if number.is_number() && is_integer() => "out of range".into(),
            (column, value) => format!("expected {}, found {}", column.name(), value.name()).into(),
        }
    }

    pub fn append_null(&mut self) {
        match self {
            Self::Text(column) => column.append_null(),
            Self::Integer(column, _) => column.append_null(),
            Self::Number(column, _) => column.append_null(),
            Self::Bool(column) => column.append_null(),
            Self::Time(column) => column.append_null(),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Text(_) => "string",
            Self::Integer(..) => "integer",
            Self::Number(..) => "number",
            Self::Bool(_) => "boolean",
            Self::Time(_) => "timestamp",
        }
    }

    pub fn finish(self) -> ArrayRef {
        match self {
            Self::Text(mut column) => Arc::new(column.finish()),
            Self::Integer(mut column, _) => Arc::new(column.finish()),
            Self::Number(mut column, _) => Arc::new(column.finish()),
            Self::Bool(mut column) => Arc::new(column.finish()),
            Self::Time(mut column) => Arc::new(column.finish()),
        }
    }
}

/// Microseconds since 1970; a timestamp without a zone is in UTC.
fn micros(text: &str) -> Option<i64> {
    let at = string_to_datetime(&Utc, text).ok()?;
    (1..=9_999).contains(&at.year()).then(|| at.timestamp_micros())
}
