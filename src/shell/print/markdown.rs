//! Rows as a table in Markdown.

use std::io::Write;

use super::cells::Cells;
use crate::shell::ShellError;

pub(super) fn print(cells: &Cells, out: &mut dyn Write) -> Result<(), ShellError> {
    let escaped = |text: &str| text.replace('|', "\\|").replace('\n', "<br>");
    let line = |values: Vec<String>| format!("| {} |", values.join(" | "));
    writeln!(
        out,
        "{}",
        line(cells.columns.iter().map(|column| escaped(&column.name)).collect())
    )?;
    let rules = cells
        .columns
        .iter()
        .map(|column| if column.is_number { "---:" } else { "---" }.to_owned());
    writeln!(out, "{}", line(rules.collect()))?;
    for row in &cells.rows {
        writeln!(out, "{}", line(row.iter().map(|value| escaped(value)).collect()))?;
    }
    Ok(())
}
