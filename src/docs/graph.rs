//! The tables as a graph, drawn as SVG: what is read on the left, who reads it on the right.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::html::escape;
use super::model::{Kind, Manual, Table};

const LETTER: usize = 8;
const BOX_HEIGHT: usize = 28;
const ROW_HEIGHT: usize = 44;
const GAP: usize = 56;
const MARGIN: usize = 8;

/// A box of the drawing.
struct Place<'a> {
    table: &'a Table,
    x: usize,
    y: usize,
    width: usize,
}

/// Draws the tables of a manual.
pub(super) fn svg(manual: &Manual) -> String {
    let columns = ordered(manual, &ranks(manual));
    let rows = columns.iter().map(Vec::len).max().unwrap_or(0);
    let mut places: BTreeMap<&str, Place<'_>> = BTreeMap::new();
    let mut x = MARGIN;
    for column in &columns {
        let width = column
            .iter()
            .map(|table| table.name.len() * LETTER + 20)
            .max()
            .unwrap_or(0);
        // Shorter columns stand in the middle.
        let top = MARGIN + (rows - column.len()) * ROW_HEIGHT / 2;
        for (row, table) in column.iter().enumerate() {
            let y = top + row * ROW_HEIGHT;
            places.insert(&table.name, Place { table, x, y, width });
        }
        x += width + GAP;
    }
    let (width, height) = (x + MARGIN - GAP.min(x), rows * ROW_HEIGHT + 2 * MARGIN);
    let mut svg = format!(
        "<svg class=\"graph\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\" \
         aria-label=\"Which table reads which\">\n"
    );
    for place in places.values() {
        for read in place.table.reads.iter().filter(|read| read.name != place.table.name) {
            if let Some(from) = places.get(read.name.as_str()) {
                edge(&mut svg, from, place, read.how);
            }
        }
    }
    for place in places.values() {
        node(&mut svg, place);
    }
    svg.push_str("</svg>\n");
    svg
}

/// How far each table is from the sources, counted by the longest way.
fn ranks(manual: &Manual) -> BTreeMap<&str, usize> {
    let mut ranks: BTreeMap<&str, usize> = BTreeMap::new();
    // In the order in which they are made, so each stands after those it reads.
    for table in &manual.tables {
        let reads = table.reads.iter().filter_map(|read| ranks.get(read.name.as_str()));
        let rank = reads.max().map_or(0, |rank| rank + 1);
        ranks.insert(&table.name, rank);
    }
    ranks
}

/// The tables by rank, and within a rank near those that they read.
fn ordered<'a>(manual: &'a Manual, ranks: &BTreeMap<&str, usize>) -> Vec<Vec<&'a Table>> {
    let mut columns: Vec<Vec<&Table>> = vec![vec![]; ranks.values().max().map_or(0, |rank| rank + 1)];
    let mut rows: BTreeMap<&str, usize> = BTreeMap::new();
    for (rank, column) in columns.iter_mut().enumerate() {
        let of_rank = manual
            .tables
            .iter()
            .filter(|table| ranks.get(table.name.as_str()) == Some(&rank));
        column.extend(of_rank);
        // The mean row of what they read, in hundredths.
        let wanted = |table: &&Table| {
            let read: Vec<usize> = table
                .reads
                .iter()
                .filter_map(|read| rows.get(read.name.as_str()).copied())
                .collect();
            100 * read.iter().sum::<usize>() / read.len().max(1)
        };
        column.sort_by_key(wanted);
        for (row, table) in column.iter().enumerate() {
            rows.insert(&table.name, row);
        }
    }
    columns
}

fn edge(svg: &mut String, from: &Place<'_>, to: &Place<'_>, how: &str) {
    let (x1, y1) = (from.x + from.width, from.y + BOX_HEIGHT / 2);
    let (x2, y2) = (to.x, to.y + BOX_HEIGHT / 2);
    let middle = (x1 + x2) / 2;
    let class = if how == "table" { "edge" } else { "edge partly" };
    // Writing to a string cannot fail.
    _ = writeln!(
        svg,
        "<path class=\"{class}\" data-from=\"{0}\" data-to=\"{1}\" d=\"M{x1},{y1} C{middle},{y1} {middle},{y2} {x2},{y2}\"/>",
        escape(&from.table.name),
        escape(&to.table.name)
    );
}

fn node(svg: &mut String, place: &Place<'_>) {
    let name = escape(&place.table.name);
    let class = match place.table.kind {
        Kind::Source => "source",
        Kind::View => "view",
        Kind::Table | Kind::Foreign => "table",
    };
    _ = writeln!(
        svg,
        "<a href=\"#{name}\" class=\"node {class}\" data-name=\"{name}\"><rect x=\"{}\" y=\"{}\" width=\"{}\" \
         height=\"{BOX_HEIGHT}\" rx=\"6\"/><text x=\"{}\" y=\"{}\">{name}</text></a>",
        place.x,
        place.y,
        place.width,
        place.x + 10,
        place.y + 18,
    );
}
