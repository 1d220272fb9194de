//! Rows as text, in every format. They are streamed, and only the rows that are shown are kept.

mod cells;
mod json;
mod lines;
mod markdown;
mod table;
mod vertical;

#[cfg(test)]
mod tests;

use std::fmt;
use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use clap::ValueEnum;
use datafusion::execution::SendableRecordBatchStream;
use futures::TryStreamExt;

use super::ShellError;
use cells::Cells;

pub use json::as_json;
pub use table::empty as empty_table;

/// How rows are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table fitted to the terminal
    Table,
    /// Comma-separated, with a header
    Csv,
    /// Tab-separated, with a header
    Tsv,
    /// One JSON array
    Json,
    /// One JSON object per line
    Ndjson,
    /// A Markdown table
    Markdown,
    /// One line per column
    Vertical,
}

impl Format {
    /// All formats.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::value_variants().iter().copied()
    }

    /// Whether it is for people: columns are fitted to their content, and rows may be left out.
    pub fn is_for_reading(self) -> bool {
        matches!(self, Self::Table | Self::Markdown | Self::Vertical)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("", |value| value.get_name()))
    }
}

/// How to print rows: the format and its limits.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// The format.
    pub format: Format,
    /// The maximum number of rows in the formats for people; the others are only counted.
    pub limit: Option<usize>,
    /// The maximum width of tables.
    pub width: u16,
    /// Decimals of fractions in the formats for people; all digits if `None`.
    pub decimals: Option<usize>,
}

/// How many rows there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Printed {
    /// Rows of the result.
    pub rows: u64,
    /// Rows that were left out.
    pub left_out: u64,
}

/// Prints rows. Formats for people are printed once all shown rows have arrived, before the rest is counted; the others
/// are printed as rows arrive.
///
/// # Errors
/// When the query fails, or the output cannot be written.
pub async fn print_stream(
    rows: SendableRecordBatchStream,
    layout: &Layout,
    out: &mut dyn Write,
) -> Result<Printed, ShellError> {
    if layout.format.is_for_reading() {
        return print_for_reading(rows, layout, out).await;
    }
    let rows = match layout.format {
        Format::Csv => lines::separated(rows, b',', out).await?,
        Format::Tsv => lines::separated(rows, b'\t', out).await?,
        Format::Json => json::array(rows, out).await?,
        _ => json::lines(rows, out).await?,
    };
    out.flush()?;
    Ok(Printed { rows, left_out: 0 })
}

async fn print_for_reading(
    mut rows: SendableRecordBatchStream,
    layout: &Layout,
    out: &mut dyn Write,
) -> Result<Printed, ShellError> {
    let schema = rows.schema();
    let limit = layout.limit.unwrap_or(usize::MAX);
    let mut shown: Vec<RecordBatch> = vec![];
    let (mut count, mut left_out) = (0, 0);
    while count < limit {
        let Some(batch) = rows.try_next().await? else { break };
        let take = batch.num_rows().min(limit - count);
        left_out += (batch.num_rows() - take) as u64;
        count += take;
        shown.push(batch.slice(0, take));
    }
    print_batches(&schema, &shown, layout, out)?;
    drop(shown);
    while let Some(batch) = rows.try_next().await? {
        left_out += batch.num_rows() as u64;
    }
    Ok(Printed {
        rows: count as u64 + left_out,
        left_out,
    })
}

/// Prints rows in memory, in a format for people.
fn print_batches(
    schema: &SchemaRef,
    batches: &[RecordBatch],
    layout: &Layout,
    out: &mut dyn Write,
) -> Result<(), ShellError> {
    if schema.fields().is_empty() {
        return Ok(());
    }
    let cells = Cells::of(schema, batches, layout.decimals)?;
    match layout.format {
        Format::Markdown => markdown::print(&cells, out)?,
        Format::Vertical => vertical::print(&cells, out)?,
        // A table whose columns are a few letters wide is not readable.
        _ if !table::fits(&cells, layout.width) => vertical::print(&cells, out)?,
        _ => table::print(&cells, layout.width, out)?,
    }
    Ok(out.flush()?)
}
