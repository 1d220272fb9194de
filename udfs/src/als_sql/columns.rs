//! Columns of vectors: factors as lists of numbers in Arrow arrays.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Float32Array, ListArray};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Float32Type};
use datafusion::common::{Result, exec_err};

/// The type of a vector: `List<Float32>`, as in tables of factors.
pub(super) fn vector_type() -> DataType {
    DataType::List(item(DataType::Float32))
}

pub(super) fn item(data_type: DataType) -> FieldRef {
    Arc::new(Field::new("element", data_type, true))
}

/// The numbers of a vector.
pub(super) fn vector(vectors: &ListArray, row: usize) -> Result<Float32Array> {
    if vectors.is_null(row) {
        return exec_err!("a vector of factors is NULL");
    }
    match vectors.value(row).as_primitive_opt::<Float32Type>() {
        Some(values) if values.null_count() == 0 => Ok(values.clone()),
        _ => exec_err!("a vector of factors contains something other than numbers"),
    }
}

/// Vectors of one length as an array of lists.
pub(super) fn lists(values: Vec<f32>, dims: usize, rows: usize) -> Result<ArrayRef> {
    let offsets = OffsetBuffer::from_lengths(std::iter::repeat_n(dims, rows));
    let values = Arc::new(Float32Array::from(values));
    Ok(Arc::new(ListArray::try_new(
        item(DataType::Float32),
        offsets,
        values,
        None,
    )?))
}
