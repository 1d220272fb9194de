//! Results on standard output: tables, JSON, large numbers.

use std::io::Write;

use comfy_table::Table;
use datafusion::dataframe::DataFrame;

use crate::shell::print::{Layout, empty_table, print_stream};
use crate::shell::{Out, terminal_width};

pub(super) use crate::shell::print::Format;

/// Decimals of a score in output for people.
const DECIMALS: usize = 4;

/// Prints the rows of a command: with rounded scores for people, and with all digits for programs.
pub(super) async fn print_rows(result: DataFrame, format: Format) -> anyhow::Result<()> {
    let layout = Layout {
        format,
        limit: None,
        width: terminal_width(),
        decimals: Some(DECIMALS),
    };
    print_stream(result.execute_stream().await?, &layout, &mut Out::new()).await?;
    Ok(())
}

/// A table in the house style.
pub(super) fn table<H: IntoIterator<Item = &'static str>>(header: H) -> Table {
    let mut table = empty_table();
    table.set_header(header).set_width(terminal_width());
    table
}

/// Prints text.
pub(super) fn write_all(text: &str) -> anyhow::Result<()> {
    let mut out = Out::new();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// `1234567` as `1,234,567`.
pub(super) fn thousands(number: u64) -> String {
    indicatif::HumanCount(number).to_string()
}

/// Text as an SQL literal.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
