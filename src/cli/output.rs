//! Results on standard output.

use std::io::{IsTerminal, Write};

use arrow::array::RecordBatch;
use clap::ValueEnum;
use comfy_table::{ContentArrangement, Table, TableComponent, presets};

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

/// Prints query results.
pub(super) fn print_batches(batches: &[RecordBatch], format: Format) -> anyhow::Result<()> {
    let out = std::io::stdout().lock();
    match format {
        Format::Table => write_all(&format!("{}\n", arrow::util::pretty::pretty_format_batches(batches)?)),
        Format::Csv => {
            let mut writer = arrow::csv::Writer::new(out);
            batches.iter().try_for_each(|batch| writer.write(batch))?;
            Ok(())
        }
        Format::Json => {
            let mut writer = arrow::json::ArrayWriter::new(out);
            batches.iter().try_for_each(|batch| writer.write(batch))?;
            writer.finish()?;
            write_all("\n")
        }
        Format::Ndjson => {
            let mut writer = arrow::json::LineDelimitedWriter::new(out);
            batches.iter().try_for_each(|batch| writer.write(batch))?;
            Ok(writer.finish()?)
        }
    }
}

/// A table in the house style.
pub(super) fn table<H: IntoIterator<Item = &'static str>>(header: H) -> Table {
    let mut table = Table::new();
    table
        .load_preset(presets::UTF8_HORIZONTAL_ONLY)
        .remove_style(TableComponent::HorizontalLines)
        .set_header(header)
        .set_content_arrangement(ContentArrangement::Dynamic);
    if !std::io::stdout().is_terminal() {
        table.set_width(PLAIN_WIDTH);
    }
    table
}

/// Prints text, and ends quietly where the reader has gone away (`clickrec … | head`).
pub(super) fn write_all(text: &str) -> anyhow::Result<()> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// `1234567` as `1,234,567`.
pub(super) fn thousands(number: u64) -> String {
    indicatif::HumanCount(number).to_string()
}

/// Text as a literal of SQL.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
