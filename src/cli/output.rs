//! Results on standard output.

use std::io::{ErrorKind, IsTerminal, StdoutLock, Write};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use clap::ValueEnum;
use comfy_table::{ContentArrangement, Table, TableComponent, presets};
use datafusion::dataframe::DataFrame;
use futures::TryStreamExt;

/// Tables that go to a file or pipe are no wider.
const PLAIN_WIDTH: u16 = 120;

/// How rows are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// A table fitted to the terminal
    Table,
    /// Comma-separated, with a header
    Csv,
    /// One JSON array
    Json,
    /// One JSON object a line
    Ndjson,
}

/// Prints a query's rows as they come; a table once all are there, because its columns are as wide as they need.
pub(super) async fn print_rows(result: DataFrame, format: Format) -> anyhow::Result<()> {
    let schema = Arc::clone(result.schema().inner());
    let mut rows = result.execute_stream().await?;
    match format {
        Format::Table => {
            let batches: Vec<RecordBatch> = rows.try_collect().await?;
            let table = arrow::util::pretty::pretty_format_batches_with_schema(schema, &batches)?;
            write_all(&format!("{table}\n"))
        }
        Format::Csv => {
            let mut writer = arrow::csv::Writer::new(Out::lock());
            // The header is there even if no row is.
            writer.write(&flat(&RecordBatch::new_empty(schema))?)?;
            while let Some(batch) = rows.try_next().await? {
                writer.write(&flat(&batch)?)?;
            }
            Ok(())
        }
        Format::Json => {
            let mut writer = arrow::json::ArrayWriter::new(Out::lock());
            while let Some(batch) = rows.try_next().await? {
                writer.write(&batch)?;
            }
            writer.finish()?;
            drop(writer);
            write_all("\n")
        }
        Format::Ndjson => {
            let mut writer = arrow::json::LineDelimitedWriter::new(Out::lock());
            while let Some(batch) = rows.try_next().await? {
                writer.write(&batch)?;
            }
            Ok(writer.finish()?)
        }
    }
}

/// The batch with lists and structs as text: CSV has no other way to hold them.
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

/// Standard output that is content where the reader has gone away (`clickrec … | head`).
struct Out(StdoutLock<'static>);

impl Out {
    fn lock() -> Self {
        Self(std::io::stdout().lock())
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self.0.write(bytes) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(bytes.len()),
            other => other,
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self.0.flush() {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }
}

/// A table in the house style.
pub(super) fn table<H: IntoIterator<Item = &'static str>>(header: H) -> Table {
    let mut table = Table::new();
    table
        .load_preset(presets::UTF8_HORIZONTAL_ONLY)
        .remove_style(TableComponent::HorizontalLines)
        .remove_style(TableComponent::MiddleIntersections)
        .remove_style(TableComponent::LeftBorderIntersections)
        .remove_style(TableComponent::RightBorderIntersections)
        .set_header(header)
        .set_content_arrangement(ContentArrangement::Dynamic);
    if !std::io::stdout().is_terminal() {
        table.set_width(PLAIN_WIDTH);
    }
    table
}

/// Prints text.
pub(super) fn write_all(text: &str) -> anyhow::Result<()> {
    Ok(Out::lock().write_all(text.as_bytes())?)
}

/// `1234567` as `1,234,567`.
pub(super) fn thousands(number: u64) -> String {
    indicatif::HumanCount(number).to_string()
}

/// Text as a literal of SQL.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
