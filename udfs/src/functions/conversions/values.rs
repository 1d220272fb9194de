//! The values that conversions take and return.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringViewArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs};

/// The time zone of every timestamp that these functions return.
pub(super) const UTC: &str = "+00:00";
/// The maximum length of a value in an error.
const SHOWN: usize = 100;

/// What happens to a value without a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Failure {
    /// The query fails, and the error contains the value.
    Error,
    /// The result is NULL.
    Null,
}

/// The nullable field of a result.
pub(super) fn nullable(name: &str, data_type: DataType) -> FieldRef {
    Arc::new(Field::new(name, data_type, true))
}

pub(super) fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

/// Converts text of any layout to views, which is cheap for every layout.
pub(super) fn texts(values: &ArrayRef) -> Result<StringViewArray> {
    Ok(cast(values, &DataType::Utf8View)?.as_string_view().clone())
}

/// The number of rows to compute: one if all arguments are constants.
pub(super) fn rows(args: &ScalarFunctionArgs) -> usize {
    if is_constant(args) { 1 } else { args.number_rows }
}

fn is_constant(args: &ScalarFunctionArgs) -> bool {
    args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)))
}

/// Returns a constant if all arguments are constants.
pub(super) fn result(args: &ScalarFunctionArgs, values: ArrayRef) -> Result<ColumnarValue> {
    if is_constant(args) {
        return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&values, 0)?));
    }
    Ok(ColumnarValue::Array(values))
}

/// Fails at the first of the `values` that should have a result but has none.
pub(super) fn check(
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
            return exec_err!("{function}: {reason}\n  help: {instead} returns NULL for such values");
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

/// A value as shown in an error.
pub(super) fn shown(values: &ArrayRef, row: usize) -> Result<String> {
    let options = FormatOptions::default().with_display_error(true);
    let text = ArrayFormatter::try_new(values, &options)?.value(row).to_string();
    Ok(match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    })
}
