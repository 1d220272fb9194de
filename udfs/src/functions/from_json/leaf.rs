//! Builds a column of plain values. Dates and times are of the years 1 to 9999; others do not fit.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::arrow::array::{ArrayRef, BooleanArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::compute::kernels::cast_utils::{Parser, string_to_datetime};
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use datafusion::common::Result;

use super::json::Json;
use super::numbers::{Scaled, integer_digits, is_digits, scaled};
use super::storage::{Texts, Values};
use crate::functions::columns::Kind;
use crate::functions::conversions::Format;

/// The years 1 to 9999, in microseconds since 1970: times beyond do not fit.
pub(in crate::functions) const TIMES: Range<i64> = -62_135_596_800_000_000..253_402_300_800_000_000;
/// The same in days.
pub(in crate::functions) const DAYS: Range<i64> = -719_162..2_932_897;
const DAY_SECONDS: i64 = 24 * 60 * 60;

/// A column builder.
pub(super) enum Leaf<'s> {
    Text(Texts),
    Json(Texts),
    Integer(Values<i64>, RangeInclusive<i64>),
    /// Contains the largest number it can hold.
    Number(Values<f64>, f64),
    /// Contains its precision and scale.
    Decimal(Values<i128>, u8, i8),
    Bool(Values<bool>),
    Time(Values<i64>, Vec<Format<'s>>),
    /// Contains the power of ten that turns a number into microseconds.
    Epoch(Values<i64>, i64),
    Date(Values<i32>, Vec<Format<'s>>),
}

/// Calls a method of the storage, of whatever kind it is.
macro_rules! storage {
    ($leaf:expr, $column:ident => $call:expr) => {
        match $leaf {
            Leaf::Text($column) | Leaf::Json($column) => $call,
            Leaf::Integer($column, _) | Leaf::Time($column, _) | Leaf::Epoch($column, _) => $call,
            Leaf::Number($column, _) => $call,
            Leaf::Decimal($column, ..) => $call,
            Leaf::Bool($column) => $call,
            Leaf::Date($column, _) => $call,
        }
    };
}

impl<'s> Leaf<'s> {
    /// `None` for a nested type, and for the rest.
    pub fn new(kind: &'s Kind, rows: usize) -> Option<Self> {
        Some(match kind {
            Kind::String => Self::Text(Texts::new(rows)),
            Kind::Json => Self::Json(Texts::new(rows)),
            Kind::BigInt => Self::Integer(Values::new(rows), i64::MIN..=i64::MAX),
            Kind::Int => Self::Integer(Values::new(rows), i64::from(i32::MIN)..=i64::from(i32::MAX)),
            Kind::Double => Self::Number(Values::new(rows), f64::MAX),
            Kind::Float => Self::Number(Values::new(rows), f64::from(f32::MAX)),
            Kind::Decimal(precision, scale) => Self::Decimal(Values::new(rows), *precision, *scale),
            Kind::Boolean => Self::Bool(Values::new(rows)),
            Kind::Timestamp(given) => Self::Time(Values::new(rows), formats(given)),
            Kind::Epoch(unit) => Self::Epoch(Values::new(rows), power(*unit)),
            Kind::Date(given) => Self::Date(Values::new(rows), formats(given)),
            Kind::List(_) | Kind::Map(_) | Kind::Struct(_) | Kind::Rest => return None,
        })
    }

    pub fn len(&self) -> usize {
        storage!(self, column => column.len())
    }

    pub fn append_null(&mut self) {
        storage!(self, column => column.append_null());
    }

    pub fn truncate(&mut self, rows: usize) {
        storage!(self, column => column.truncate(rows));
    }

    /// Whether it needs the text of a value, and not only what serde_json makes of it.
    pub fn reads_text(&self) -> bool {
        matches!(self, Self::Json(_) | Self::Decimal(..) | Self::Epoch(..))
    }

    /// Appends a value if it fits; otherwise returns `false`. `sent` is its text, if it is known: integers in other
    /// notations, and the digits of other numbers, need it. With `widen`, text also accepts numbers and booleans, and
    /// integers accept `7.0`.
    pub fn append(&mut self, value: &Json<'_>, sent: Option<&str>, widen: bool) -> bool {
        match (self, value) {
            (Self::Text(column), Json::Text(text)) => column.append(text),
            (Self::Text(column), Json::Integer(number)) if widen => {
                // Writing to memory does not fail.
                _ = write!(column, "{number}");
                column.end();
            }
            (Self::Text(column), Json::Bool(value)) if widen => column.append(if *value { "true" } else { "false" }),
            (Self::Integer(column, range), Json::Integer(number)) if range.contains(number) => column.append(*number),
            (Self::Number(column, _), Json::Integer(number)) => column.append(*number as f64),
            (Self::Number(column, max), Json::Number(number)) if number.abs() <= *max => column.append(*number),
            (Self::Bool(column), Json::Bool(value)) => column.append(*value),
            (Self::Time(column, formats), Json::Text(text)) => return put(column, micros(text, formats)),
            (Self::Date(column, formats), Json::Text(text)) => return put(column, day(text, formats)),
            (Self::Epoch(column, power), Json::Text(text)) if is_digits(text) => {
                return put(column, epoch(text, *power));
            }
            (leaf, number) if number.is_number() => return sent.is_some_and(|sent| leaf.append_digits(sent, widen)),
            _ => return false,
        }
        true
    }

    /// Appends a number by its digits, if it fits.
    fn append_digits(&mut self, sent: &str, widen: bool) -> bool {
        match self {
            Self::Text(column) if widen => {
                column.append(integer_digits(sent).as_deref().unwrap_or(sent));
                true
            }
            Self::Integer(column, range) if widen => {
                let number = integer_digits(sent).and_then(|digits| digits.parse::<i64>().ok());
                put(column, number.filter(|number| range.contains(number)))
            }
            Self::Epoch(column, power) => put(column, epoch(sent, *power)),
            Self::Decimal(column, precision, scale) => put(column, decimal(sent, *precision, *scale)),
            _ => false,
        }
    }

    /// Appends the text of a value if it takes any.
    pub fn append_json(&mut self, sent: &str) -> bool {
        let Self::Json(column) = self else { return false };
        if sent == "null" {
            column.append_null();
        } else {
            column.append(sent);
        }
        true
    }

    /// Why a value does not fit.
    pub fn misfit(&self, value: &Json<'_>, sent: &str) -> Cow<'static, str> {
        let is_integer = || sent.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        match (self, value) {
            (Self::Time(_, formats), Json::Text(_)) if formats.is_empty() => "not an RFC 3339 time".into(),
            (Self::Date(_, formats), Json::Text(_)) if formats.is_empty() => "not a date".into(),
            (Self::Time(..) | Self::Date(..), Json::Text(_)) => "not in the declared format".into(),
            (Self::Epoch(..), Json::Text(text)) if !is_digits(text) => "not a number".into(),
            (Self::Text(_), Json::BrokenText) => "not Unicode text".into(),
            (Self::Decimal(_, _, scale), number) if number.is_number() && is_too_fine(sent, *scale) => {
                format!("more than {scale} decimal places").into()
            }
            (Self::Epoch(..), Json::Text(_)) => "out of range".into(),
            (Self::Number(..) | Self::Decimal(..) | Self::Epoch(..), number) if number.is_number() => {
                "out of range".into()
            }
            (Self::Integer(..), number) if number.is_number() && is_integer() => "out of range".into(),
            (leaf, value) => format!("expected {}, found {}", leaf.name(), value.name()).into(),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Text(_) => "string",
            Self::Json(_) => "json",
            Self::Integer(..) => "integer",
            Self::Number(..) | Self::Decimal(..) => "number",
            Self::Bool(_) => "boolean",
            Self::Time(..) | Self::Epoch(..) => "timestamp",
            Self::Date(..) => "date",
        }
    }

    pub fn finish(self, data_type: &DataType) -> Result<ArrayRef> {
        let array: ArrayRef = match self {
            Self::Text(column) | Self::Json(column) => column.finish()?,
            Self::Integer(column, _) => Arc::new(column.finish::<Int64Type>()?),
            Self::Number(column, _) => Arc::new(column.finish::<Float64Type>()?),
            Self::Decimal(column, precision, scale) => {
                let numbers = column.finish::<Decimal128Type>()?;
                Arc::new(numbers.with_precision_and_scale(precision, scale)?)
            }
            Self::Bool(column) => {
                let (values, nulls) = column.into_parts();
                Arc::new(BooleanArray::new(values.into(), nulls))
            }
            Self::Time(column, _) | Self::Epoch(column, _) => {
                let zone = match data_type {
                    DataType::Timestamp(_, zone) => zone.clone(),
                    _ => None,
                };
                Arc::new(column.finish::<TimestampMicrosecondType>()?.with_timezone_opt(zone))
            }
            Self::Date(column, _) => Arc::new(column.finish::<Date32Type>()?),
        };
        Ok(cast(&array, data_type)?)
    }
}

/// Appends a value if there is one.
fn put<T: Default>(column: &mut Values<T>, value: Option<T>) -> bool {
    let Some(value) = value else { return false };
    column.append(value);
    true
}

fn formats(given: &[String]) -> Vec<Format<'_>> {
    given.iter().filter_map(|format| Format::new(format)).collect()
}

fn power(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 6,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 0,
        TimeUnit::Nanosecond => -3,
    }
}

/// Microseconds since 1970 of a text; a time without a zone is in UTC. What is finer is cut off.
fn micros(text: &str, formats: &[Format<'_>]) -> Option<i64> {
    let at = if formats.is_empty() {
        string_to_datetime(&Utc, text).ok()?
    } else {
        in_format(text, formats)?
    };
    Some(at.timestamp_micros()).filter(|micros| TIMES.contains(micros))
}

/// The same of a number of seconds, milliseconds, and so on.
fn epoch(number: &str, power: i64) -> Option<i64> {
    let micros = i64::try_from(scaled(number, power)?.value).ok()?;
    Some(micros).filter(|micros| TIMES.contains(micros))
}

/// Days since 1970.
fn day(text: &str, formats: &[Format<'_>]) -> Option<i32> {
    let day = if formats.is_empty() {
        i64::from(Date32Type::parse(text)?)
    } else {
        in_format(text, formats)?.timestamp().div_euclid(DAY_SECONDS)
    };
    i32::try_from(day).ok().filter(|_| DAYS.contains(&day))
}

fn in_format(text: &str, formats: &[Format<'_>]) -> Option<DateTime<Utc>> {
    formats.iter().find_map(|format| format.read(text))
}

/// A decimal's digits as one integer, if it has them all.
fn decimal(number: &str, precision: u8, scale: i8) -> Option<i128> {
    let scaled = scaled(number, i64::from(scale))?;
    let fits = scaled.is_exact && scaled.value.unsigned_abs() < 10_u128.pow(u32::from(precision));
    fits.then_some(scaled.value)
}

fn is_too_fine(number: &str, scale: i8) -> bool {
    matches!(scaled(number, i64::from(scale)), Some(Scaled { is_exact: false, .. }))
}
