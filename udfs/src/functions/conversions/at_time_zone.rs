//! `at_time_zone(value, zone)`, which implements `value at time zone zone`, and `try_at_time_zone`.
//!
//! A timestamp without a zone is a local time in that zone, and is converted to the instant. An ambiguous one, when
//! clocks are set back, means the first of both instants; a skipped one, when clocks are set forward, has no instant. A
//! timestamp with a zone is an instant already.

use chrono::{DateTime, Offset, TimeZone, Utc};
use datafusion::arrow::array::timezone::Tz;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringViewArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::compute::kernels::cast_utils::string_to_datetime;
use datafusion::arrow::datatypes::{DataType, FieldRef, Int64Type, TimeUnit};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::scalar_doc_sections::DOC_SECTION_DATETIME;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use super::to_timestamp::per_second;
use super::values::{Failure, UTC, check, is_text, nullable, result, rows, texts};

pub(super) fn functions() -> Vec<ScalarUDF> {
    vec![
        ScalarUDF::from(AtTimeZone::new("at_time_zone", Failure::Error)),
        ScalarUDF::from(AtTimeZone::new("try_at_time_zone", Failure::Null)),
    ]
}

/// One of the two functions.
#[derive(Debug, PartialEq, Eq, Hash)]
struct AtTimeZone {
    name: &'static str,
    failure: Failure,
    signature: Signature,
    documentation: Documentation,
}

impl AtTimeZone {
    fn new(name: &'static str, failure: Failure) -> Self {
        let (description, syntax) = match failure {
            Failure::Error => ("fails the query", "VALUE at time zone 'ZONE'".to_owned()),
            Failure::Null => (
                "is NULL, and so is text that is not a time",
                format!("{name}(value, zone)"),
            ),
        };
        let documentation = Documentation::builder(
            DOC_SECTION_DATETIME,
            format!(
                "The instant of a local time in a time zone. A local time that occurs twice because clocks are set \
                 back means the first of the two; one that never occurs {description}."
            ),
            syntax,
        )
        .with_argument(
            "value",
            "A time, a date, or text that holds one; if the text has a zone of its own, that zone applies.",
        )
        .with_argument(
            "zone",
            "A name such as 'Europe/Berlin', or an offset such as '+02:00'; may be a column.",
        )
        .with_sql_example(format!("select {name}('2026-07-01 12:00:00', 'Europe/Berlin');"));
        Self {
            name,
            failure,
            signature: Signature::any(2, Volatility::Immutable),
            documentation: documentation.build(),
        }
    }

    fn result_type(&self, value: &DataType, zone: Option<&str>) -> Result<DataType> {
        let unit = match value {
            DataType::Timestamp(unit, _) => *unit,
            DataType::Null | DataType::Date32 | DataType::Date64 => TimeUnit::Microsecond,
            kind if is_text(kind) => TimeUnit::Microsecond,
            other => return plan_err!("{} takes a time, a date or text, not {other}", self.name),
        };
        let shown = match (self.failure, zone) {
            (Failure::Error, Some(zone)) => zone,
            _ => UTC,
        };
        Ok(DataType::Timestamp(unit, Some(shown.into())))
    }
}

/// The zones of the rows.
enum Zones {
    /// The same for all rows; `None` if it is NULL or unknown.
    One(Option<Tz>),
    /// The name of each row's zone.
    Column(StringViewArray),
}

impl Zones {
    fn new(argument: &ColumnarValue) -> Result<Self> {
        Ok(match argument {
            ColumnarValue::Scalar(value) => Self::One(zone_name(value).and_then(|name| name.parse().ok())),
            ColumnarValue::Array(names) => Self::Column(texts(names)?),
        })
    }

    /// The zone of each row, if known. Repeated names are looked up only once.
    fn of_rows(&self) -> impl FnMut(usize) -> Option<Tz> {
        let mut last: Option<(&str, Option<Tz>)> = None;
        move |row| match self {
            Self::One(zone) => *zone,
            Self::Column(names) if names.is_null(row) => None,
            Self::Column(names) => {
                let name = names.value(row);
                match last {
                    Some((known, zone)) if known == name => zone,
                    _ => {
                        let zone = name.parse().ok();
                        last = Some((name, zone));
                        zone
                    }
                }
            }
        }
    }
}

fn zone_name(value: &ScalarValue) -> Option<&str> {
    match value {
        ScalarValue::Dictionary(_, value) => zone_name(value),
        value => value.try_as_str().flatten(),
    }
}

/// The instants of texts, in microseconds.
fn of_texts(values: &StringViewArray, zones: &Zones) -> Int64Array {
    let mut zone_of = zones.of_rows();
    let read = |(row, text): (usize, Option<&str>)| {
        let (text, zone) = (text?, zone_of(row)?);
        let instant = match string_to_datetime(&zone, text) {
            Ok(instant) => instant.to_utc(),
            // The local time does not exist, or is ambiguous.
            Err(_) => {
                let local = string_to_datetime(&Utc, text).ok()?.naive_utc();
                zone.from_local_datetime(&local).earliest()?.to_utc()
            }
        };
        Some(instant.timestamp_micros())
    };
    values.iter().enumerate().map(read).collect()
}

/// The time that a number represents.
fn time(value: i64, unit: TimeUnit) -> Option<DateTime<Utc>> {
    match unit {
        TimeUnit::Second => DateTime::from_timestamp(value, 0),
        TimeUnit::Millisecond => DateTime::from_timestamp_millis(value),
        TimeUnit::Microsecond => DateTime::from_timestamp_micros(value),
        TimeUnit::Nanosecond => Some(DateTime::from_timestamp_nanos(value)),
    }
}

/// The instants of local times, in their unit.
fn of_locals(values: &Int64Array, unit: TimeUnit, zones: &Zones) -> Int64Array {
    let mut zone_of = zones.of_rows();
    let convert = |(row, value): (usize, Option<i64>)| {
        let (value, zone) = (value?, zone_of(row)?);
        let local = time(value, unit)?.naive_utc();
        let offset = zone.offset_from_local_datetime(&local).earliest()?.fix();
        let instant = value.checked_sub(i64::from(offset.local_minus_utc()) * per_second(unit))?;
        time(instant, unit).map(|_| instant)
    };
    values.iter().enumerate().map(convert).collect()
}

/// For a zone per value, and therefore per result.
fn compute(values: &ArrayRef, zones: &Zones, result_type: &DataType) -> Result<ArrayRef> {
    let instants = match values.data_type() {
        kind if is_text(kind) => of_texts(&texts(values)?, zones),
        DataType::Timestamp(_, Some(_)) => {
            let mut zone_of = zones.of_rows();
            let instants = cast(values, &DataType::Int64)?;
            let known = |(row, value): (usize, Option<i64>)| zone_of(row).and(value);
            instants
                .as_primitive::<Int64Type>()
                .iter()
                .enumerate()
                .map(known)
                .collect()
        }
        DataType::Timestamp(unit, None) => of_locals(cast(values, &DataType::Int64)?.as_primitive(), *unit, zones),
        // Dates start at midnight.
        _ => {
            let times = cast(values, &DataType::Timestamp(TimeUnit::Microsecond, None))?;
            let numbers = cast(&times, &DataType::Int64)?;
            of_locals(numbers.as_primitive(), TimeUnit::Microsecond, zones)
        }
    };
    Ok(cast(&instants, result_type)?)
}

impl ScalarUDFImpl for AtTimeZone {
    fn name(&self) -> &str {
        self.name
    }

    /// Named as written, so that the columns of two zones have different names.
    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let names: Vec<String> = args.iter().map(|arg| arg.schema_name().to_string()).collect();
        match (self.failure, args) {
            (Failure::Error, [_, Expr::Literal(zone, _)]) => Ok(format!(
                "{} AT TIME ZONE '{}'",
                names[0],
                zone_name(zone).unwrap_or("NULL")
            )),
            _ => Ok(format!("{}({})", self.name, names.join(","))),
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, kinds: &[DataType]) -> Result<DataType> {
        match kinds {
            [value, _] => self.result_type(value, None),
            _ => plan_err!("{} takes a time and a zone", self.name),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let (value, zone) = (args.arg_fields[0].data_type(), args.arg_fields[1].data_type());
        if !is_text(zone) && *zone != DataType::Null {
            return plan_err!("{}: a time zone is text such as 'Europe/Berlin', not {zone}", self.name);
        }
        let zone = args.scalar_arguments[1].and_then(zone_name);
        if let Some(zone) = zone
            && zone.parse::<Tz>().is_err()
        {
            return plan_err!(
                "{}: unknown time zone '{zone}'\n  help: write a name such as 'Europe/Berlin', or an offset such as \
                 '+02:00'",
                self.name
            );
        }
        Ok(nullable(self.name, self.result_type(value, zone)?))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let values = args.args[0].to_array(rows(&args))?;
        let zones = Zones::new(&args.args[1])?;
        let instants = compute(&values, &zones, args.return_type())?;
        if self.failure == Failure::Error {
            let names = texts(&args.args[1].to_array(rows(&args))?)?;
            check(
                ("at time zone", "try_at_time_zone(…)"),
                &values,
                &instants,
                |row, value| {
                    let zone = names.is_valid(row).then(|| names.value(row))?;
                    Some(match zone.parse::<Tz>() {
                        Ok(_) => format!("'{value}' is not a time, or does not exist in {zone}"),
                        Err(_) => format!("unknown time zone '{zone}' for '{value}'"),
                    })
                },
            )?;
        }
        result(&args, instants)
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}
