//! `to_date(value[, format, …])` and `try_to_date`. The first exists for its error, which names the value.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Date32Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::compute::kernels::cast_utils::Parser;
use datafusion::arrow::datatypes::{DataType, Date32Type, FieldRef};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::scalar_doc_sections::DOC_SECTION_DATETIME;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::formats::{Formats, check_literals};
use super::values::{Failure, check, is_text, nullable, result, rows, texts};

const DAY_SECONDS: i64 = 24 * 60 * 60;

pub(super) fn functions() -> Vec<ScalarUDF> {
    vec![
        ScalarUDF::from(ToDate::new("to_date", Failure::Error)),
        ScalarUDF::from(ToDate::new("try_to_date", Failure::Null)),
    ]
}

/// One of the two functions.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ToDate {
    name: &'static str,
    failure: Failure,
    signature: Signature,
    documentation: Documentation,
}

impl ToDate {
    fn new(name: &'static str, failure: Failure) -> Self {
        let or_null = match failure {
            Failure::Error => "",
            Failure::Null => ", or NULL if there is none",
        };
        let documentation = Documentation::builder(
            DOC_SECTION_DATETIME,
            format!(
                "The date given by text, a time, or a number of days since 1970{or_null}. Text is YYYY-MM-DD, or \
                 matches one of the formats."
            ),
            format!("{name}(value[, format, …])"),
        )
        .with_argument("value", "Text, a number, a date or a time.")
        .with_argument(
            "format",
            "A chrono format, such as '%d.%m.%Y'. The first format that fits applies; NULLs are skipped.",
        )
        .with_sql_example(format!("select {name}('17.05.2026', '%d.%m.%Y');"));
        Self {
            name,
            failure,
            signature: Signature::variadic_any(Volatility::Immutable),
            documentation: documentation.build(),
        }
    }
}

fn compute(values: &ArrayRef, formats: Option<&Formats<'_>>) -> Result<ArrayRef> {
    let dates: Date32Array = match values.data_type() {
        kind if is_text(kind) => {
            let read = |(row, text): (usize, Option<&str>)| match formats {
                Some(formats) => {
                    let instant = formats.read(row, text?)?;
                    i32::try_from(instant.timestamp().div_euclid(DAY_SECONDS)).ok()
                }
                None => Date32Type::parse(text?),
            };
            texts(values)?.iter().enumerate().map(read).collect()
        }
        kind if kind.is_numeric() => {
            let days = cast(&cast(values, &DataType::Int64)?, &DataType::Int32)?;
            cast(&days, &DataType::Date32)?.as_primitive::<Date32Type>().clone()
        }
        _ => cast(values, &DataType::Date32)?.as_primitive::<Date32Type>().clone(),
    };
    let within_range = |day| Date32Type::to_naive_date_opt(day).map(|_| day);
    Ok(Arc::new(dates.unary_opt::<_, Date32Type>(within_range)))
}

fn is_accepted(kind: &DataType) -> bool {
    use DataType::{Date32, Date64, Null, Timestamp};
    is_text(kind) || kind.is_numeric() || matches!(kind, Null | Date32 | Date64 | Timestamp(..))
}

impl ScalarUDFImpl for ToDate {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Date32)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let name = self.name;
        let [value, formats @ ..] = args.arg_fields else {
            return plan_err!("{name}: the value is missing");
        };
        let kind = value.data_type();
        if !is_accepted(kind) {
            return plan_err!("{name} takes text, a number, a date or a time, not {kind}");
        }
        for format in formats {
            if !is_text(format.data_type()) && *format.data_type() != DataType::Null {
                return plan_err!("{name}: a format must be text, not {}", format.data_type());
            }
        }
        check_literals(name, &args.scalar_arguments[1..])?;
        Ok(nullable(name, DataType::Date32))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let values = args.args[0].to_array(rows(&args))?;
        let formats = match args.args.len() > 1 && is_text(values.data_type()) {
            true => Some(Formats::new(self.name, &args.args[1..])?),
            false => None,
        };
        let dates = compute(&values, formats.as_ref())?;
        if self.failure == Failure::Error {
            check(
                (self.name, "try_to_date"),
                &values,
                &dates,
                |row, value| match &formats {
                    Some(formats) if !formats.are_given(row) => None,
                    Some(_) => Some(format!("'{value}' is not a date in the given format")),
                    None => Some(format!("'{value}' is not a date, or too far from 1970")),
                },
            )?;
        }
        result(&args, dates)
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}
