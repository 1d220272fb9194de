//! Separated values: rows are printed as they arrive.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::execution::SendableRecordBatchStream;
use futures::TryStreamExt;

use crate::shell::ShellError;

pub(super) async fn separated(
    mut rows: SendableRecordBatchStream,
    delimiter: u8,
    out: &mut dyn Write,
) -> Result<u64, ShellError> {
    let mut writer = arrow::csv::WriterBuilder::new().with_delimiter(delimiter).build(out);
    // The header is printed even without rows.
    let mut count = 0;
    writer.write(&flat(&RecordBatch::new_empty(rows.schema()))?)?;
    while let Some(batch) = rows.try_next().await? {
        count += batch.num_rows() as u64;
        writer.write(&flat(&batch)?)?;
    }
    Ok(count)
}

/// The batch with lists and structs as text: CSV cannot hold them otherwise.
fn flat(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let options = FormatOptions::default();
    let columns = batch
        .schema_ref()
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(field, column)| {
            if !column.data_type().is_nested() {
                return Ok((field.name(), column.clone()));
            }
            let texts = ArrayFormatter::try_new(column, &options)?;
            let texts = (0..column.len()).map(|row| column.is_valid(row).then(|| texts.value(row).to_string()));
            Ok((field.name(), Arc::new(StringArray::from_iter(texts)) as ArrayRef))
        });
    let columns = columns.collect::<Result<Vec<_>, ArrowError>>()?;
    if columns.is_empty() {
        return Ok(batch.clone());
    }
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))
}
