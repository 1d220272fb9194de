//! `to_timestamp(value[, format, …])`, `to_timestamp_seconds`, `…_millis`, `…_micros`, `…_nanos`, and `try_` of each.
//!
//! They replace DataFusion's functions of these names, which lose the time zone of a text column and then fail, convert
//! NaN to 1970, and convert numbers that are too large to some other year.

use chrono::{DateTime, Utc};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::compute::kernels::cast_utils::string_to_datetime;
use datafusion::arrow::datatypes::{DataType, Decimal128Type, FieldRef, Float64Type, Int64Type, TimeUnit};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::scalar_doc_sections::DOC_SECTION_DATETIME;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::formats::{Formats, check_literals};
use super::values::{Failure, UTC, check, is_text, nullable, result, rows, texts};

/// Decimal places of seconds in nanoseconds.
const NANO_DIGITS: i8 = 9;
/// The smallest number too large for an `i64`.
const TOO_LARGE: f64 = 9_223_372_036_854_775_808.0;

pub(super) fn functions() -> Vec<ScalarUDF> {
    use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    let kinds = [
        ("to_timestamp", Second, Nanosecond),
        ("to_timestamp_seconds", Second, Second),
        ("to_timestamp_millis", Millisecond, Millisecond),
        ("to_timestamp_micros", Microsecond, Microsecond),
        ("to_timestamp_nanos", Nanosecond, Nanosecond),
    ];
    let both = |(name, numbers, unit)| {
        [Failure::Error, Failure::Null].map(|failure| ScalarUDF::from(ToTimestamp::new(name, numbers, unit, failure)))
    };
    kinds.into_iter().flat_map(both).collect()
}

/// One of the functions.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ToTimestamp {
    name: String,
    /// The unit of numbers.
    numbers: TimeUnit,
    /// The unit of the result.
    unit: TimeUnit,
    failure: Failure,
    signature: Signature,
    documentation: Documentation,
}

impl ToTimestamp {
    fn new(name: &str, numbers: TimeUnit, unit: TimeUnit, failure: Failure) -> Self {
        let (name, or_null) = match failure {
            Failure::Error => (name.to_owned(), ""),
            Failure::Null => (format!("try_{name}"), ", or NULL if there is none"),
        };
        let unit_name = match numbers {
            TimeUnit::Second => "seconds",
            TimeUnit::Millisecond => "milliseconds",
            TimeUnit::Microsecond => "microseconds",
            TimeUnit::Nanosecond => "nanoseconds",
        };
        let documentation = Documentation::builder(
            DOC_SECTION_DATETIME,
            format!(
                "The time, in UTC, given by text or by a number of {unit_name} since 1970{or_null}. Text is RFC 3339, \
                 optionally with a space instead of the T and without a zone, or matches one of the formats; a time \
                 without a zone is UTC."
            ),
            format!("{name}(value[, format, …])"),
        )
        .with_argument("value", "Text, a number, a date or a time.")
        .with_argument(
            "format",
            "A chrono format, such as '%d.%m.%Y %H:%M'. The first format that fits applies; NULLs are skipped.",
        )
        .with_sql_example(format!("select {name}('17.05.2026 03:59', '%d.%m.%Y %H:%M');"));
        Self {
            name,
            numbers,
            unit,
            failure,
            signature: Signature::variadic_any(Volatility::Immutable),
            documentation: documentation.build(),
        }
    }

    fn result_type(&self) -> DataType {
        DataType::Timestamp(self.unit, Some(UTC.into()))
    }

    /// The factor that converts a number to the result's unit.
    fn factor(&self) -> i64 {
        per_second(self.unit) / per_second(self.numbers)
    }

    /// The number in the result's unit, if it is a valid timestamp.
    fn within_range(&self, value: i64) -> Option<i64> {
        let is_time = match self.unit {
            TimeUnit::Second => DateTime::from_timestamp(value, 0).is_some(),
            TimeUnit::Millisecond => DateTime::from_timestamp_millis(value).is_some(),
            TimeUnit::Microsecond => DateTime::from_timestamp_micros(value).is_some(),
            TimeUnit::Nanosecond => true,
        };
        is_time.then_some(value)
    }

    fn of_instant(&self, instant: DateTime<Utc>) -> Option<i64> {
        match self.unit {
            TimeUnit::Second => Some(instant.timestamp()),
            TimeUnit::Millisecond => Some(instant.timestamp_millis()),
            TimeUnit::Microsecond => Some(instant.timestamp_micros()),
            TimeUnit::Nanosecond => instant.timestamp_nanos_opt(),
        }
    }

    fn of_texts(&self, values: &ArrayRef, formats: Option<&Formats<'_>>) -> Result<Int64Array> {
        let values = texts(values)?;
        let read = |(row, text): (usize, Option<&str>)| {
            let instant = match formats {
                Some(formats) => formats.read(row, text?),
                None => string_to_datetime(&Utc, text?).ok(),
            };
            self.of_instant(instant?)
        };
        Ok(values.iter().enumerate().map(read).collect())
    }

    fn of_integers(&self, values: &Int64Array) -> Int64Array {
        let factor = self.factor();
        values.unary_opt::<_, Int64Type>(|value| self.within_range(value.checked_mul(factor)?))
    }

    fn of_floats(&self, values: &ArrayRef) -> Result<Int64Array> {
        let values = cast(values, &DataType::Float64)?;
        let factor = self.factor() as f64;
        let convert = |value: f64| {
            let scaled = value * factor;
            let fits = (-TOO_LARGE..TOO_LARGE).contains(&scaled);
            fits.then_some(scaled as i64).and_then(|value| self.within_range(value))
        };
        Ok(values.as_primitive::<Float64Type>().unary_opt::<_, Int64Type>(convert))
    }

    fn of_decimals(&self, values: &ArrayRef) -> Result<Int64Array> {
        if self.factor() == 1 {
            return Ok(self.of_integers(cast(values, &DataType::Int64)?.as_primitive()));
        }
        let values = cast(values, &DataType::Decimal128(38, NANO_DIGITS))?;
        let convert = |value| i64::try_from(value).ok();
        Ok(values
            .as_primitive::<Decimal128Type>()
            .unary_opt::<_, Int64Type>(convert))
    }

    fn compute(&self, values: &ArrayRef, formats: Option<&Formats<'_>>) -> Result<ArrayRef> {
        let numbers = match values.data_type() {
            kind if is_text(kind) => self.of_texts(values, formats)?,
            kind if kind.is_integer() => self.of_integers(cast(values, &DataType::Int64)?.as_primitive()),
            kind if kind.is_floating() => self.of_floats(values)?,
            kind if is_decimal(kind) => self.of_decimals(values)?,
            // Dates and timestamps: casts return NULL if there is no result.
            _ => return Ok(cast(values, &self.result_type())?),
        };
        Ok(cast(&numbers, &self.result_type())?)
    }
}

/// How many of a unit make a second.
pub(super) fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

fn is_decimal(kind: &DataType) -> bool {
    use DataType::{Decimal32, Decimal64, Decimal128, Decimal256};
    matches!(kind, Decimal32(..) | Decimal64(..) | Decimal128(..) | Decimal256(..))
}

fn is_accepted(kind: &DataType) -> bool {
    use DataType::{Date32, Date64, Null, Timestamp};
    is_text(kind) || kind.is_numeric() || matches!(kind, Null | Date32 | Date64 | Timestamp(..))
}

impl ScalarUDFImpl for ToTimestamp {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.result_type())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let [value, formats @ ..] = args.arg_fields else {
            return plan_err!("{}: the value is missing", self.name);
        };
        let kind = value.data_type();
        if !is_accepted(kind) {
            return plan_err!("{} takes text, a number, a date or a time, not {kind}", self.name);
        }
        for format in formats {
            if !is_text(format.data_type()) && *format.data_type() != DataType::Null {
                return plan_err!("{}: a format must be text, not {}", self.name, format.data_type());
            }
        }
        check_literals(&self.name, &args.scalar_arguments[1..])?;
        Ok(nullable(&self.name, self.result_type()))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let values = args.args[0].to_array(rows(&args))?;
        // Formats do not apply to numbers and timestamps.
        let formats = match args.args.len() > 1 && is_text(values.data_type()) {
            true => Some(Formats::new(&self.name, &args.args[1..])?),
            false => None,
        };
        let times = self.compute(&values, formats.as_ref())?;
        if self.failure == Failure::Error {
            let instead = format!("try_{}", self.name);
            check(
                (self.name.as_str(), instead.as_str()),
                &values,
                &times,
                |row, value| match &formats {
                    Some(formats) if !formats.are_given(row) => None,
                    Some(_) => Some(format!("'{value}' is not a time in the given format")),
                    None => Some(format!("'{value}' is not a time, or too far from 1970")),
                },
            )?;
        }
        result(&args, times)
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}
