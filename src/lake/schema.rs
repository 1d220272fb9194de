//! Maps the columns of a query's result to what a Delta table can store: types, time zones, nullability: microseconds
//! in UTC, every column nullable; types that Delta does not have are refused.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};

use super::LakeError;
use crate::config::TableName;

/// The schema to store a query's result with: plain strings and binaries instead of views and dictionaries, signed
/// integers, microseconds in UTC, and every column nullable, so that a later edit of the SQL does not break readers.
///
/// # Errors
/// When a column has a type that Delta cannot represent.
pub fn storable(table: &TableName, schema: &Schema) -> Result<SchemaRef, LakeError> {
    let fields = schema
        .fields()
        .iter()
        .map(|field| storable_field(table, field))
        .collect::<Result<Fields, _>>()?;
    Ok(Arc::new(Schema::new(fields)))
}

/// The same columns, all nullable and without metadata: plans and scans of the same rows differ in what they infer.
pub fn nullable(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter();
    let fields = fields.map(|field| Field::new(field.name(), field.data_type().clone(), true));
    Arc::new(Schema::new(fields.collect::<Fields>()))
}

fn storable_field(table: &TableName, field: &Field) -> Result<FieldRef, LakeError> {
    let data_type = storable_type(field.data_type()).ok_or_else(|| LakeError::Type {
        table: table.to_string(),
        column: field.name().clone(),
        data_type: field.data_type().to_string(),
    })?;
    Ok(Arc::new(Field::new(field.name(), data_type, true)))
}

fn storable_type(data_type: &DataType) -> Option<DataType> {
    use DataType::*;
    Some(match data_type {
        Utf8 | LargeUtf8 | Utf8View => Utf8,
        Binary | LargeBinary | BinaryView | FixedSizeBinary(_) => Binary,
        Boolean | Int8 | Int16 | Int32 | Int64 | Float32 | Float64 | Date32 => data_type.clone(),
        UInt8 => Int16,
        UInt16 => Int32,
        UInt32 | UInt64 => Int64,
        Float16 => Float32,
        Date64 => Date32,
        Decimal128(precision, scale) => Decimal128(*precision, *scale),
        Timestamp(_, _) => Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Dictionary(_, values) => storable_type(values)?,
        RunEndEncoded(_, values) => storable_type(values.data_type())?,
        List(item) | LargeList(item) | ListView(item) | LargeListView(item) | FixedSizeList(item, _) => {
            List(Arc::new(Field::new("element", storable_type(item.data_type())?, true)))
        }
        Struct(fields) => {
            let fields = fields
                .iter()
                .map(|field| Some(Field::new(field.name(), storable_type(field.data_type())?, true)))
                .collect::<Option<Vec<_>>>()?;
            Struct(fields.into())
        }
        _ => return None,
    })
}
