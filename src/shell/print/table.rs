//! Rows as a table in the terminal, fitted to its width; and whether they fit at all.

use std::io::Write;

use comfy_table::{Cell, CellAlignment, ColumnConstraint, ContentArrangement, Table, TableComponent, Width, presets};

use super::cells::Cells;
use crate::shell::ShellError;

/// The minimum width, in letters, to which a long value is wrapped.
const MIN_COLUMN: usize = 10;
/// The padding of each column.
const PADDING: usize = 3;

/// Whether the columns fit side by side: their names, and their values or wrapped parts of them.
pub(super) fn fits(cells: &Cells, width: u16) -> bool {
    let columns = 0..cells.columns.len();
    columns.map(|column| min_width(cells, column) + PADDING).sum::<usize>() <= usize::from(width)
}

fn min_width(cells: &Cells, column: usize) -> usize {
    let letters = |text: &str| text.chars().count();
    let name = letters(&cells.columns[column].name);
    let values = cells.rows.iter().map(|row| letters(&row[column])).max().unwrap_or(0);
    name.max(values.min(MIN_COLUMN))
}

pub(super) fn print(cells: &Cells, width: u16, out: &mut dyn Write) -> Result<(), ShellError> {
    let mut table = empty();
    table.set_width(width);
    table.set_header(cells.columns.iter().map(|column| Cell::new(&column.name)));
    for row in &cells.rows {
        table.add_row(row.iter().map(Cell::new));
    }
    for (place, column) in cells.columns.iter().enumerate() {
        let min = u16::try_from(min_width(cells, place)).unwrap_or(u16::MAX);
        if let Some(drawn) = table.column_mut(place) {
            drawn.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(min + PADDING as u16 - 1)));
            if column.is_number {
                drawn.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    Ok(writeln!(out, "{table}")?)
}

/// A table in the house style, as wide as its content.
pub fn empty() -> Table {
    let mut table = Table::new();
    table
        .load_preset(presets::UTF8_HORIZONTAL_ONLY)
        .remove_style(TableComponent::HorizontalLines)
        .remove_style(TableComponent::MiddleIntersections)
        .remove_style(TableComponent::LeftBorderIntersections)
        .remove_style(TableComponent::RightBorderIntersections)
        .set_content_arrangement(ContentArrangement::Dynamic);
    table
}
