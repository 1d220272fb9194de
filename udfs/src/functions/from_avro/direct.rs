//! The usual case, without JSON in between: no record of a schema is broken, and each declared column is a field of it
//! with a type that fits, also within records, or no field of it. Whatever else is declared or sent goes through texts;
//! where both ways are possible, both have the same result.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringBuilder, StructArray, new_null_array};
use datafusion::arrow::compute::{cast, is_null, max, min, nullif};
use datafusion::arrow::datatypes::{
    DataType, Date32Type, FieldRef, Fields, Float64Type, Schema as TableSchema, TimeUnit, TimestampMicrosecondType,
};
use datafusion::arrow::error::ArrowError;

use super::decode::whole;
use crate::functions::by_schema::Body;
use crate::functions::columns::{Column, Kind, Step};
use crate::functions::from_json::{DAYS, Declared, Policy, TIMES};
use crate::json_rows::each_row;

/// Where the values of a declared column are.
#[derive(Debug, PartialEq, Eq)]
enum Origin {
    /// In the field at the last of these places, within the records at those before.
    Field(Vec<usize>),
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
    let is_wanted = |table: &TableSchema| origins(table, declared).is_some();
    let Some(table) = whole(schema, bodies, is_wanted) else {
        return Ok(None);
    };
    let Some(origins) = origins(&table.schema(), declared) else {
        return Ok(None);
    };
    let rows = table.num_rows();
    let mut arrays: Vec<ArrayRef> = vec![];
    for ((origin, column), field) in origins.iter().zip(&declared.columns).zip(declared.fields) {
        let array = match origin {
            Origin::Nowhere => Some(new_null_array(field.data_type(), rows)),
            Origin::Field(places) => match within(&table, places)? {
                Some(values) => exact(&values, &column.kind, field.data_type())?,
                None => None,
            },
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

/// `None` if a column has to be taken from texts.
fn origins(table: &TableSchema, declared: &Declared<'_>) -> Option<Vec<Origin>> {
    let is_widened = declared.policy == Policy::Evolve;
    let columns = &declared.columns;
    let origins = columns.iter().map(|column| match column.kind {
        Kind::Rest => Some(Origin::Others),
        _ => origin(table.fields(), column, is_widened),
    });
    let origins: Vec<Origin> = origins.collect::<Option<_>>()?;
    // Of a record that columns take in part, the rest has the whole.
    let has_rest = origins.contains(&Origin::Others);
    let has_parts = columns.iter().any(|column| column.path.len() > 1);
    (!(has_rest && has_parts)).then_some(origins)
}

fn origin(fields: &Fields, column: &Column, is_widened: bool) -> Option<Origin> {
    let (last, records) = column.path.split_last()?;
    let (mut fields, mut places) = (fields, vec![]);
    for step in records {
        let Some((place, field)) = named(fields, step)? else {
            return Some(Origin::Nowhere);
        };
        let DataType::Struct(inner) = field.data_type() else {
            return None;
        };
        places.push(place);
        fields = inner;
    }
    let Some((place, field)) = named(fields, last)? else {
        return Some(Origin::Nowhere);
    };
    places.push(place);
    fits(field.data_type(), &column.kind, is_widened).then_some(Origin::Field(places))
}

/// The field that a step leads to, if there is one; `None` if it leads to a place in a list.
fn named<'f>(fields: &'f Fields, step: &Step) -> Option<Option<(usize, &'f FieldRef)>> {
    match step {
        Step::Name(name) => Some(fields.find(name)),
        Step::Index(_) => None,
    }
}

/// Whether the text of each value of the type is a value of the kind. Text may also be widened to take numbers and
/// booleans.
fn fits(data_type: &DataType, kind: &Kind, is_widened: bool) -> bool {
    match (kind, data_type) {
        (Kind::String, DataType::Utf8)
        | (Kind::BigInt | Kind::Double, DataType::Int32 | DataType::Int64)
        | (Kind::Int, DataType::Int32)
        | (Kind::Double, DataType::Float64)
        | (Kind::Boolean, DataType::Boolean) => true,
        (Kind::String, DataType::Int32 | DataType::Int64 | DataType::Boolean) => is_widened,
        (Kind::String, DataType::Dictionary(_, values)) => **values == DataType::Utf8,
        (Kind::Timestamp(formats), DataType::Timestamp(TimeUnit::Millisecond | TimeUnit::Microsecond, Some(_)))
        | (Kind::Date(formats), DataType::Date32) => formats.is_empty(),
        (Kind::Epoch(unit), DataType::Int32 | DataType::Int64) => *unit != TimeUnit::Nanosecond,
        _ => false,
    }
}

/// The values of a field, which are missing where a record around them is; `None` if there is no such field.
fn within(table: &RecordBatch, places: &[usize]) -> Result<Option<ArrayRef>, ArrowError> {
    let Some((first, inner)) = places.split_first() else {
        return Ok(None);
    };
    let mut values = table.column(*first).clone();
    for place in inner {
        let Some(records) = values.as_struct_opt() else {
            return Ok(None);
        };
        values = match records.null_count() {
            0 => records.column(*place).clone(),
            _ => nullif(records.column(*place), &is_null(records)?)?,
        };
    }
    Ok(Some(values))
}

/// The values as another type; `None` if one of them has no text, and so would be missing, or does not fit.
fn exact(array: &ArrayRef, kind: &Kind, to: &DataType) -> Result<Option<ArrayRef>, ArrowError> {
    let values = match (kind, to) {
        (Kind::Epoch(unit), DataType::Timestamp(_, zone)) => {
            let numbers = cast(array, &DataType::Int64)?;
            cast(&cast(&numbers, &DataType::Timestamp(*unit, zone.clone()))?, to)?
        }
        _ => cast(array, to)?,
    };
    let has_texts = match to {
        DataType::Timestamp(..) => {
            let times = values.as_primitive::<TimestampMicrosecondType>();
            let limits = [min(times), max(times)];
            values.null_count() == array.null_count() && limits.into_iter().flatten().all(|time| TIMES.contains(&time))
        }
        DataType::Date32 => {
            let days = values.as_primitive::<Date32Type>();
            let limits = [min(days), max(days)];
            limits.into_iter().flatten().all(|day| DAYS.contains(&i64::from(day)))
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
    let others = (0..table.num_columns()).filter(|place| !origins.contains(&Origin::Field(vec![*place])));
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use datafusion::arrow::datatypes::Field;

    use super::*;
    use crate::functions::columns::parse_declaration;

    fn found(columns: &str, policy: Policy) -> Option<Vec<Origin>> {
        let field = |name: &str, data_type: DataType| Field::new(name, data_type, true);
        let visitor = Fields::from(vec![field("session", DataType::Utf8), field("user", DataType::Int64)]);
        let table = TableSchema::new(vec![
            field("id", DataType::Int64),
            field("visitor", DataType::Struct(visitor)),
            field("day", DataType::Date32),
        ]);
        let declared = Declared {
            columns: parse_declaration("from_avro", columns).unwrap(),
            fields: &Fields::empty(),
            policy,
        };
        origins(&table, &declared)
    }

    #[test]
    fn columns_are_found_within_records_and_types_that_fit_are_taken() {
        let columns =
            "session string from $.visitor.session, at timestamp_ms from $.id, day date, none string from $.visitor.x";
        let origins = [
            Origin::Field(vec![1, 0]),
            Origin::Field(vec![0]),
            Origin::Field(vec![2]),
            Origin::Nowhere,
        ];
        assert_eq!(found(columns, Policy::Quarantine).unwrap(), origins);
        assert_eq!(found("id string", Policy::Quarantine), None);
        assert_eq!(found("id string", Policy::Evolve).unwrap(), [Origin::Field(vec![0])]);
    }

    #[test]
    fn what_only_texts_tell_is_left_to_them() {
        for columns in [
            "visitor json",
            "first string from $.visitor[0]",
            "inner string from $.id.inner",
            "session string from $.visitor.session, extra rest",
            "at timestamp_ns from $.id",
            "day date '%d.%m.%Y'",
        ] {
            assert_eq!(found(columns, Policy::Quarantine), None, "{columns}");
        }
    }
}
