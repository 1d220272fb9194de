//! Rows one below the other, a line per column (`\x`).

use std::io::Write;

use super::cells::Cells;
use crate::shell::ShellError;

/// A heading for each row, then one line per column; further lines of a value are indented.
pub(super) fn print(cells: &Cells, out: &mut dyn Write) -> Result<(), ShellError> {
    let letters = |text: &str| text.chars().count();
    let width = cells
        .columns
        .iter()
        .map(|column| letters(&column.name))
        .max()
        .unwrap_or(0);
    for (index, row) in cells.rows.iter().enumerate() {
        writeln!(out, "── row {} {}", index + 1, "─".repeat(30))?;
        for (column, value) in cells.columns.iter().zip(row) {
            let pad = " ".repeat(width - letters(&column.name));
            let value = value.replace('\n', &format!("\n{} │ ", " ".repeat(width)));
            writeln!(out, "{pad}{} │ {value}", column.name)?;
        }
    }
    Ok(())
}
