//! Columns of an answer, by name, in the types that callers need.

use std::sync::Arc;

use arrow::array::{Array, AsArray, Float64Array, RecordBatch, StringArray, UInt64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, UInt64Type};
use datafusion::common::plan_datafusion_err;
use datafusion::error::DataFusionError;

/// A column as text.
///
/// # Errors
/// When there is no such column, or it cannot be converted to text.
pub fn texts(batch: &RecordBatch, name: &str) -> Result<StringArray, DataFusionError> {
    let texts = cast(column(batch, name)?, &DataType::Utf8)?;
    Ok(texts.as_string::<i32>().clone())
}

/// A column as floating-point numbers.
///
/// # Errors
/// When there is no such column, or it cannot be converted to numbers.
pub fn floats(batch: &RecordBatch, name: &str) -> Result<Float64Array, DataFusionError> {
    let floats = cast(column(batch, name)?, &DataType::Float64)?;
    Ok(floats.as_primitive::<Float64Type>().clone())
}

/// A column as whole numbers.
pub(super) fn numbers(batch: &RecordBatch, name: &str) -> Result<UInt64Array, DataFusionError> {
    let numbers = cast(column(batch, name)?, &DataType::UInt64)?;
    Ok(numbers.as_primitive::<UInt64Type>().clone())
}

/// A column.
///
/// # Errors
/// When there is none of this name.
pub fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a Arc<dyn Array>, DataFusionError> {
    batch.column_by_name(name).ok_or_else(|| {
        let fields = batch.schema_ref().fields().iter();
        let known: Vec<&str> = fields.map(|field| field.name().as_str()).collect();
        plan_datafusion_err!(
            "the result has no column `{name}`; its columns are {}",
            known.join(", ")
        )
    })
}
