//! Computes something that may fail for some rows: all rows at once, and if that fails, by bisection until each failing
//! row is found. Rows that do not fail cost next to nothing.

use std::ops::Range;

use datafusion::arrow::array::{ArrayRef, new_empty_array, new_null_array};
use datafusion::arrow::compute::concat;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::error::DataFusionError;

/// The results of `compute`, with NULL for each row that fails on its own. Errors that no value causes are returned.
pub(super) fn in_halves(
    rows: usize,
    result_type: &DataType,
    compute: impl Fn(Range<usize>) -> Result<ArrayRef>,
) -> Result<ArrayRef> {
    let mut parts = vec![];
    let mut open: Vec<Range<usize>> = std::iter::once(0..rows).collect();
    while let Some(range) = open.pop() {
        match compute(range.clone()) {
            Ok(part) => parts.push(part),
            Err(error) if !is_of_data(&error) => return Err(error),
            Err(_) if range.len() <= 1 => parts.push(new_null_array(result_type, range.len())),
            Err(_) => {
                let middle = range.start + range.len() / 2;
                open.extend([middle..range.end, range.start..middle]);
            }
        }
    }
    match parts.as_slice() {
        [] => Ok(new_empty_array(result_type)),
        [all] => Ok(all.clone()),
        parts => Ok(concat(&parts.iter().map(AsRef::as_ref).collect::<Vec<_>>())?),
    }
}

fn is_of_data(error: &DataFusionError) -> bool {
    match error.find_root() {
        DataFusionError::Execution(_) => true,
        DataFusionError::ArrowError(error, _) => {
            use datafusion::arrow::error::ArrowError::*;
            matches!(
                error.as_ref(),
                ArithmeticOverflow(_)
                    | DivideByZero
                    | CastError(_)
                    | ParseError(_)
                    | ComputeError(_)
                    | InvalidArgumentError(_)
            )
        }
        _ => false,
    }
}
