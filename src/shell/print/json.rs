//! Rows as JSON: every column has a unique key, even if its value is NULL.

use std::collections::HashSet;
use std::io::Write;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::WriterBuilder;
use arrow::json::writer::{JsonArray, JsonFormat, LineDelimited, Writer};
use datafusion::execution::SendableRecordBatchStream;
use futures::TryStreamExt;

use crate::shell::ShellError;

/// Batches as one array of objects.
///
/// # Errors
/// When a column has a type that JSON cannot represent.
pub fn as_json(batches: &[RecordBatch]) -> Result<Vec<u8>, ArrowError> {
    let mut writer = writer::<_, JsonArray>(Vec::new());
    for batch in batches {
        writer.write(&with_own_names(batch)?)?;
    }
    writer.finish()?;
    Ok(writer.into_inner())
}

pub(super) async fn array(rows: SendableRecordBatchStream, out: &mut dyn Write) -> Result<u64, ShellError> {
    let count = write(rows, writer::<_, JsonArray>(&mut *out)).await?;
    writeln!(out)?;
    Ok(count)
}

pub(super) async fn lines(rows: SendableRecordBatchStream, out: &mut dyn Write) -> Result<u64, ShellError> {
    write(rows, writer::<_, LineDelimited>(out)).await
}

async fn write<W: Write, F: JsonFormat>(
    mut rows: SendableRecordBatchStream,
    mut writer: Writer<W, F>,
) -> Result<u64, ShellError> {
    let mut count = 0;
    while let Some(batch) = rows.try_next().await? {
        count += batch.num_rows() as u64;
        writer.write(&with_own_names(&batch)?)?;
    }
    writer.finish()?;
    Ok(count)
}

fn writer<W: Write, F: JsonFormat>(out: W) -> Writer<W, F> {
    WriterBuilder::new().with_explicit_nulls(true).build(out)
}

/// The batch with unique names, because readers keep only one of two equal keys.
fn with_own_names(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let Some(schema) = own_names(batch.schema_ref()) else {
        return Ok(batch.clone());
    };
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(schema), batch.columns().to_vec(), &rows)
}

/// The schema with unique names, if some repeat: the second `x` becomes `x_2`, unless another column has that name.
fn own_names(schema: &SchemaRef) -> Option<Schema> {
    let mut taken: HashSet<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
    if taken.len() == schema.fields().len() {
        return None;
    }
    let mut first = HashSet::new();
    let fields = schema.fields().iter().map(|field| {
        if first.insert(field.name().as_str()) {
            return field.as_ref().clone();
        }
        let mut number = 2_usize;
        let mut name = format!("{}_{number}", field.name());
        while !taken.insert(name.clone()) {
            number += 1;
            name = format!("{}_{number}", field.name());
        }
        field.as_ref().clone().with_name(name)
    });
    let fields: Vec<Field> = fields.collect();
    Some(Schema::new(fields))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow::array::{Int64Array, NullArray, StructArray};
    use arrow::datatypes::DataType;

    use super::*;

    fn json(columns: &[(&str, Option<i64>)]) -> String {
        let fields = columns.iter().map(|(name, _)| Field::new(*name, DataType::Int64, true));
        let schema = Schema::new(fields.collect::<Vec<_>>());
        let arrays = columns
            .iter()
            .map(|(_, value)| Arc::new(Int64Array::from(vec![*value])) as _);
        let batch = RecordBatch::try_new(Arc::new(schema), arrays.collect()).unwrap();
        String::from_utf8(as_json(&[batch]).unwrap()).unwrap()
    }

    #[test]
    fn columns_of_one_name_have_keys_of_their_own() {
        let columns = [("x", 1), ("x", 2), ("y", 3), ("x_2", 4), ("x", 5), ("x", 6)];
        assert_eq!(
            json(&columns.map(|(name, value)| (name, Some(value)))),
            r#"[{"x":1,"x_3":2,"y":3,"x_2":4,"x_4":5,"x_5":6}]"#
        );
    }

    #[test]
    fn what_is_null_has_its_key() {
        assert_eq!(
            json(&[("x", None), ("y", Some(1)), ("x", None)]),
            r#"[{"x":null,"y":1,"x_2":null}]"#
        );
        let nothing: arrow::array::ArrayRef = Arc::new(NullArray::new(1));
        let within = StructArray::try_from(vec![("a", nothing.clone())]).unwrap();
        let batch = RecordBatch::try_from_iter_with_nullable([
            ("nothing", nothing, true),
            ("within", Arc::new(within) as _, true),
        ]);
        let text = as_json(&[batch.unwrap()]).unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            r#"[{"nothing":null,"within":{"a":null}}]"#
        );
        assert_eq!(as_json(&[]).unwrap(), b"[]");
    }
}
