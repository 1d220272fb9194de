//! The usual case, without JSON in between: all values of a batch have one schema, and each declared column is a field of
//! it with a type that fits, or no field of it. Whatever else is declared or sent goes through texts; where both ways are
//! possible, both have the same result.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringBuilder, StructArray, new_null_array};
use datafusion::arrow::compute::{cast, max, min};
use datafusion::arrow::datatypes::{DataType, Float64Type, Schema as TableSchema, TimeUnit, TimestampMicrosecondType};
use datafusion::arrow::error::ArrowError;

use super::decode::whole;
use crate::functions::by_schema::Body;
use crate::functions::columns::{Column, Kind, Step};
use crate::functions::from_json::{Declared, TIMES};
use crate::json_rows::each_row;

/// Where the values of a declared column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Field(usize),
    Nowhere,
    /// In the fields that no column takes.
    Others,
}

/// The result for records of one schema; `None` if it takes texts.
///
/// # Errors
/// When a type has no JSON values, which the check of the schema excludes.
pub(super) fn columns(
    schema: &str,
    bodies: &[Body<'_>],
    declared: &Declared<'_>,
) -> Result<Option<StructArray>, ArrowError> {
    let is_wanted = |table: &TableSchema| origins(table, &declared.columns).is_some();
    let Some(table) = whole(schema, bodies, is_wanted) else {
        return Ok(None);
    };
    let Some(origins) = origins(&table.schema(), &declared.columns) else {
        return Ok(None);
    };
    let rows = table.num_rows();
    let mut arrays: Vec<ArrayRef> = vec![];
    for (origin, field) in origins.iter().zip(declared.fields) {
        let array = match origin {
            Origin::Nowhere => Some(new_null_array(field.data_type(), rows)),
            Origin::Field(place) => exact(table.column(*place), field.data_type())?,
            Origin::Others => others(&table, &origins)?,
        };
        let Some(array) = array else { return Ok(None) };
        arrays.push(array);
    }
    // Those for errors.
    let errors = declared.fields.iter().skip(arrays.len());
    let errors: Vec<ArrayRef> = errors.map(|field| new_null_array(field.data_type(), rows)).collect();
    arrays.extend(errors);
    StructArray::try_new(declared.fields.clone(), arrays, None).map(Some)
}

fn origins(table: &TableSchema, columns: &[Column]) -> Option<Vec<Origin>> {
    let origin = |column: &Column| match (&column.kind, &column.path[..]) {
        (Kind::Rest, _) => Some(Origin::Others),
        (kind, [Step::Name(name)]) => match table.column_with_name(name) {
            None => Some(Origin::Nowhere),
            Some((place, field)) => fits(field.data_type(), kind).then_some(Origin::Field(place)),
        },
        _ => None,
    };
    columns.iter().map(origin).collect()
}

/// Whether the text of each value of the type is a value of the kind.
fn fits(data_type: &DataType, kind: &Kind) -> bool {
    match (kind, data_type) {
        (Kind::String, DataType::Utf8)
        | (Kind::BigInt, DataType::Int32 | DataType::Int64)
        | (Kind::Int, DataType::Int32)
        | (Kind::Double, DataType::Float64)
        | (Kind::Boolean, DataType::Boolean) => true,
        (Kind::String, DataType::Dictionary(_, values)) => **values == DataType::Utf8,
        (Kind::Timestamp(formats), DataType::Timestamp(TimeUnit::Millisecond | TimeUnit::Microsecond, Some(_))) => {
            formats.is_empty()
        }
        _ => false,
    }
}

/// The values as another type; `None` if one of them has no text, and so would be missing.
fn exact(array: &ArrayRef, to: &DataType) -> Result<Option<ArrayRef>, ArrowError> {
    let values = cast(array, to)?;
    let has_texts = match to {
        DataType::Timestamp(..) => {
            let times = values.as_primitive::<TimestampMicrosecondType>();
            let limits = [min(times), max(times)];
            values.null_count() == array.null_count() && limits.into_iter().flatten().all(|time| TIMES.contains(&time))
        }
        DataType::Float64 => {
            let numbers = values.as_primitive::<Float64Type>();
            numbers.iter().flatten().all(f64::is_finite)
        }
        _ => true,
    };
    Ok(has_texts.then_some(values))
}

/// The fields that no column takes, as one object for each row; NULL if there are none. `None` if one has no text: texts
/// leave it out.
fn others(table: &RecordBatch, origins: &[Origin]) -> Result<Option<ArrayRef>, ArrowError> {
    let others = (0..table.num_columns()).filter(|place| !origins.contains(&Origin::Field(*place)));
    let others: Vec<usize> = others.collect();
    if others.is_empty() {
        return Ok(Some(new_null_array(&DataType::Utf8, table.num_rows())));
    }
    let mut texts = StringBuilder::with_capacity(table.num_rows(), 0);
    let mut have_texts = true;
    each_row(&table.project(&others)?, 0, |object| {
        match std::str::from_utf8(object) {
            Ok("{}") => texts.append_null(),
            Ok(object) if !object.contains(":null") => texts.append_value(object),
            _ => have_texts = false,
        }
        have_texts
    })?;
    let array: ArrayRef = Arc::new(texts.finish());
    Ok(have_texts.then_some(array))
}
