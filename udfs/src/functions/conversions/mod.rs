//! Conversions of values as they are in life. Each that can fail has a sister `try_…`, which gives NULL instead, so that
//! no record can stop a step; both share one kernel, so they agree wherever there is a value.

mod arithmetic;
mod at_time_zone;
mod formats;
mod halves;
#[cfg(test)]
mod tests;
mod to_date;
mod to_timestamp;
mod tried;

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringViewArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF};

/// The zone of every time that these functions give.
const UTC: &str = "+00:00";
/// So much of a value is shown in an error.
const SHOWN: usize = 100;

/// All of them.
pub(super) fn functions() -> Vec<ScalarUDF> {
    [
        to_timestamp::functions(),
        to_date::functions(),
        at_time_zone::functions(),
        arithmetic::functions(),
        tried::functions(),
    ]
    .concat()
}

/// What happens to a value that has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Failure {
    /// The query fails, with the value in the error.
    Error,
    /// The result is NULL.
    Null,
}

/// The field of a result, NULL wherever there is none.
fn nullable(name: &str, data_type: DataType) -> FieldRef {
    Arc::new(Field::new(name, data_type, true))
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

/// Text of any layout as views, the layout that every other one turns into cheaply.
fn texts(values: &ArrayRef) -> Result<StringViewArray> {
    Ok(cast(values, &DataType::Utf8View)?.as_string_view().clone())
}

/// How many rows there are to compute: one where every argument is a constant.
fn rows(args: &ScalarFunctionArgs) -> usize {
    if is_constant(args) { 1 } else { args.number_rows }
}

fn is_constant(args: &ScalarFunctionArgs) -> bool {
    args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)))
}

/// A constant where every argument is one.
fn result(args: &ScalarFunctionArgs, values: ArrayRef) -> Result<ColumnarValue> {
    if is_constant(args) {
        return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&values, 0)?));
    }
    Ok(ColumnarValue::Array(values))
}

/// Fails at the first of the `values` that has no result although it should have one.
fn check(
    (function, instead): (&str, &str),
    values: &ArrayRef,
    results: &ArrayRef,
    why: impl Fn(usize, &str) -> Option<String>,
) -> Result<()> {
    if results.logical_null_count() == values.logical_null_count() {
        return Ok(());
    }
    for row in 0..values.len() {
        if results.is_null(row)
            && !is_null(values, row)
            && let Some(reason) = why(row, &shown(values, row)?)
        {
            return exec_err!("{function}: {reason}\n  help: {instead} gives NULL for such values");
        }
    }
    Ok(())
}

fn is_null(values: &ArrayRef, row: usize) -> bool {
    match values.as_any_dictionary_opt() {
        Some(values) => values.is_null(row) || values.values().is_null(values.normalized_keys()[row]),
        None => values.is_null(row),
    }
}

/// A value as an error shows it.
fn shown(values: &ArrayRef, row: usize) -> Result<String> {
    let options = FormatOptions::default().with_display_error(true);
    let text = ArrayFormatter::try_new(values, &options)?.value(row).to_string();
    Ok(match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    })
}
