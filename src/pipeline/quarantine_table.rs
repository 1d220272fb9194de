//! The table `system.quarantine`: its columns, and how rows are written to it, each once: rows of a step that are equal
//! in everything are one. `step/expectations.rs` puts rows there that an expectation rejects (`save`), `failed_records`
//! records that a step's SQL fails on (`put`). What the SQL itself does not accept goes to a table of the project's own
//! (`silver.quarantine`).

use std::collections::HashSet;
use std::io::Write;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, FieldRef, Float32Type, Float64Type, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use arrow::json::writer::{Encoder, EncoderFactory, EncoderOptions, LineDelimited, NullableEncoder, WriterBuilder};
use chrono::Utc;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use twox_hash::XxHash64;

use super::rejected_rows::RejectedRows;
use super::{Node, PipelineError, system};
use crate::config::Mode;
use crate::lake::Lake;

/// What tells one row from the others.
pub(super) const KEY: [&str; 2] = ["step", "row_key"];

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quarantined<'a> {
    /// The expectation that the row violates.
    pub expectation: Option<&'a str>,
    /// The input whose record the SQL fails on.
    pub input: Option<&'a str>,
    /// What the engine said of it.
    pub error: Option<&'a str>,
    /// What tells the row from others of its step, as JSON.
    pub key: &'a str,
    /// The row as JSON.
    pub row: &'a str,
}

/// Rows that one expectation rejected, with all columns of their table.
#[derive(Debug)]
pub(super) struct Aside {
    /// Its name.
    pub expectation: String,
    /// The rows.
    pub found: RejectedRows,
}

/// Quarantines rows, in one commit. A row is identified by its step and all of its values, so one that is rejected
/// again (the step died before its own commit, or lost it to another writer, or is rebuilt) is there once. So are rows
/// that are equal in everything, in whatever batches they came; `system.expectations` counts them all.
pub(super) async fn save(
    lake: &Lake,
    session: &SessionContext,
    node: &Node,
    aside: &[Aside],
) -> Result<(), PipelineError> {
    let rows = told(node, aside)?;
    let rows = rows.iter().map(|(expectation, key, row)| Quarantined {
        expectation: Some(expectation),
        input: None,
        error: None,
        key,
        row,
    });
    put(lake, session, node, &rows.collect::<Vec<_>>()).await
}

/// Puts rows aside that are known by their step and key, in one commit.
pub(super) async fn put(
    lake: &Lake,
    session: &SessionContext,
    node: &Node,
    rows: &[Quarantined<'_>],
) -> Result<(), PipelineError> {
    let step = node.name().to_string();
    let column = |value: fn(&Quarantined<'_>) -> Option<String>| -> ArrayRef {
        Arc::new(rows.iter().map(value).collect::<StringArray>())
    };
    let now = TimestampMicrosecondArray::from(vec![Utc::now().timestamp_micros(); rows.len()]).with_timezone("UTC");
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(vec![step.as_str(); rows.len()])),
        column(|row| row.expectation.map(str::to_owned)),
        column(|row| Some(row.key.to_owned())),
        column(|row| Some(row.row.to_owned())),
        Arc::new(now),
        column(|row| row.input.map(str::to_owned)),
        column(|row| row.error.map(str::to_owned)),
    ];
    let batch = RecordBatch::try_new(schema(), columns).map_err(DataFusionError::from)?;
    let table = system::name(system::QUARANTINE);
    system::upsert(lake, session, &table, &KEY.map(str::to_owned), batch)
        .await
        .map_err(|error| node.lake_error(error))
}

/// Expectation, key and row of each row that expectations rejected, each row once.
fn told(node: &Node, aside: &[Aside]) -> Result<Vec<(String, String, String)>, DataFusionError> {
    let (mut rows, mut known) = (vec![], HashSet::new());
    for Aside { expectation, found } in aside {
        let batches = &found.batches;
        let told = as_json(batches)?;
        let by_key = match node.step.mode {
            Mode::Merge => {
                let batches = batches.iter().map(|batch| project(batch, &node.step.key));
                as_json(&batches.collect::<Result<Vec<_>, _>>()?)?
            }
            _ => vec![],
        };
        for (index, row) in told.into_iter().enumerate() {
            let key = match by_key.get(index) {
                Some(key) => format!("{key} {:016x}", XxHash64::oneshot(0, row.as_bytes())),
                None => row.clone(),
            };
            if known.insert(key.clone()) {
                rows.push((expectation.clone(), key, row));
            }
        }
    }
    Ok(rows)
}

/// The columns of the table.
pub(super) fn schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        text("step"),
        text("expectation"),
        text("row_key"),
        text("row"),
        Field::new("quarantined_at", time, true),
        text("input"),
        text("error"),
    ]))
}

fn project(batch: &RecordBatch, columns: &[String]) -> Result<RecordBatch, DataFusionError> {
    let indices = columns.iter().map(|column| batch.schema().index_of(column));
    Ok(batch.project(&indices.collect::<Result<Vec<_>, _>>()?)?)
}

/// Each row as an object of JSON.
pub(super) fn as_json(batches: &[RecordBatch]) -> Result<Vec<String>, DataFusionError> {
    let builder = WriterBuilder::new().with_encoder_factory(Arc::new(OddNumbers));
    let mut writer = builder.build::<_, LineDelimited>(vec![]);
    writer.write_batches(&batches.iter().collect::<Vec<_>>())?;
    writer.finish()?;
    let text = String::from_utf8(writer.into_inner()).map_err(|error| DataFusionError::External(Box::new(error)))?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// Writes the numbers that JSON does not have as text, `"NaN"`: they are among what expectations look for.
#[derive(Debug)]
struct OddNumbers;

impl EncoderFactory for OddNumbers {
    fn make_default_encoder<'a>(
        &self,
        _: &'a FieldRef,
        array: &'a dyn Array,
        _: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        Ok(match array.data_type() {
            DataType::Float32 => Some(floats::<Float32Type>(array, f32::is_finite)),
            DataType::Float64 => Some(floats::<Float64Type>(array, f64::is_finite)),
            _ => None,
        })
    }
}

fn floats<'a, T>(array: &'a dyn Array, is_finite: fn(T::Native) -> bool) -> NullableEncoder<'a>
where
    T: ArrowPrimitiveType,
{
    // All numbers in one form, whatever is next to them: rows are identified by their text.
    let values = array.as_primitive::<T>();
    let encoder = Floats { values, is_finite };
    NullableEncoder::new(Box::new(encoder), array.nulls().cloned())
}

struct Floats<'a, T: ArrowPrimitiveType> {
    values: &'a PrimitiveArray<T>,
    is_finite: fn(T::Native) -> bool,
}

impl<T: ArrowPrimitiveType> Encoder for Floats<'_, T> {
    fn encode(&mut self, index: usize, out: &mut Vec<u8>) {
        let value = self.values.value(index);
        // Into memory, which does not fail.
        _ = match (self.is_finite)(value) {
            true => write!(out, "{value:?}"),
            false => write!(out, "\"{value:?}\""),
        };
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow::array::Float64Array;

    use super::*;

    #[test]
    fn numbers_that_json_does_not_have_are_told_from_null() {
        let values = Float64Array::from(vec![
            Some(f64::NAN),
            None,
            Some(f64::NEG_INFINITY),
            Some(20.0),
            Some(1e300),
        ]);
        let batch = RecordBatch::try_from_iter([("price", Arc::new(values) as ArrayRef)]).unwrap();
        let expected = [
            r#"{"price":"NaN"}"#,
            "{}",
            r#"{"price":"-inf"}"#,
            r#"{"price":20.0}"#,
            r#"{"price":1e300}"#,
        ];
        assert_eq!(as_json(&[batch]).unwrap(), expected);
        // Written the same way where there is nothing odd.
        let plain = Float64Array::from(vec![20.0, 1e300]);
        let batch = RecordBatch::try_from_iter([("price", Arc::new(plain) as ArrayRef)]).unwrap();
        assert_eq!(as_json(&[batch]).unwrap(), expected[3..]);
    }
}
