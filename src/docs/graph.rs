//! The tables as a graph, drawn as SVG: inputs above, their readers below. It is never wider than the page.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::escape::escape;
use super::model::{Kind, Manual, Table};

const LETTER: usize = 8;
const BOX_HEIGHT: usize = 28;
const LINE_HEIGHT: usize = 72;
const GAP: usize = 28;
const MARGIN: usize = 8;
/// The maximum width of a row of boxes. Boxes that do not fit go on another row.
const WIDTH_MAX: usize = 1_120;

/// A box of the drawing.
struct PlacedTable<'a> {
    table: &'a Table,
    x: usize,
    y: usize,
    width: usize,
}

impl PlacedTable<'_> {
    fn middle(&self) -> usize {
        self.x + self.width / 2
    }
}

/// Draws the tables of a manual.
pub(super) fn svg(manual: &Manual) -> String {
    let lines: Vec<Vec<&Table>> = ordered(manual, &ranks(manual))
        .iter()
        .flat_map(|rank| broken(rank))
        .collect();
    let widest = lines.iter().map(|line| line_width(line)).max().unwrap_or(0);
    let mut places: BTreeMap<&str, PlacedTable<'_>> = BTreeMap::new();
    for (number, line) in lines.iter().enumerate() {
        let y = MARGIN + number * LINE_HEIGHT;
        // Shorter rows are centered.
        let mut x = MARGIN + (widest - line_width(line)) / 2;
        for table in line {
            let width = box_width(table);
            places.insert(&table.name, PlacedTable { table, x, y, width });
            x += width + GAP;
        }
    }
    let below_last = LINE_HEIGHT - BOX_HEIGHT;
    let (width, height) = (
        widest + 2 * MARGIN,
        (lines.len() * LINE_HEIGHT).saturating_sub(below_last) + 2 * MARGIN,
    );
    let mut svg = format!(
        "<svg class=\"graph\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\" \
         aria-label=\"Which tables read which\">\n"
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

fn box_width(table: &Table) -> usize {
    table.name.chars().count() * LETTER + 20
}

fn line_width(line: &[&Table]) -> usize {
    let boxes: usize = line.iter().map(|table| box_width(table)).sum();
    boxes + GAP * line.len().saturating_sub(1)
}

/// Splits a rank into rows that fit the page.
fn broken<'a>(rank: &[&'a Table]) -> Vec<Vec<&'a Table>> {
    let mut lines: Vec<Vec<&Table>> = vec![];
    for table in rank {
        match lines.last_mut() {
            Some(line) if line_width(line) + GAP + box_width(table) <= WIDTH_MAX => line.push(table),
            _ => lines.push(vec![table]),
        }
    }
    lines
}

/// How far each table is from the sources, on the longest path.
fn ranks(manual: &Manual) -> BTreeMap<&str, usize> {
    let mut ranks: BTreeMap<&str, usize> = BTreeMap::new();
    // In build order, so each table comes after those that it reads.
    for table in &manual.tables {
        let reads = table.reads.iter().filter_map(|read| ranks.get(read.name.as_str()));
        let rank = reads.max().map_or(0, |rank| rank + 1);
        ranks.insert(&table.name, rank);
    }
    ranks
}

/// The tables by rank, and within a rank near those that they read.
fn ordered<'a>(manual: &'a Manual, ranks: &BTreeMap<&str, usize>) -> Vec<Vec<&'a Table>> {
    let mut by_rank: Vec<Vec<&Table>> = vec![vec![]; ranks.values().max().map_or(0, |rank| rank + 1)];
    // The horizontal position of each box, in thousandths of its rank's width.
    let mut centers: BTreeMap<&str, usize> = BTreeMap::new();
    for (rank, tables) in by_rank.iter_mut().enumerate() {
        let of_rank = manual
            .tables
            .iter()
            .filter(|table| ranks.get(table.name.as_str()) == Some(&rank));
        tables.extend(of_rank);
        // Each box goes below the center of its inputs.
        let wanted = |table: &&Table| {
            let read: Vec<usize> = table
                .reads
                .iter()
                .filter_map(|read| centers.get(read.name.as_str()).copied())
                .collect();
            read.iter().sum::<usize>() / read.len().max(1)
        };
        tables.sort_by_key(wanted);
        for (place, table) in tables.iter().enumerate() {
            centers.insert(&table.name, 500 * (2 * place + 1) / tables.len());
        }
    }
    by_rank
}

fn edge(svg: &mut String, from: &PlacedTable<'_>, to: &PlacedTable<'_>, how: &str) {
    let (x1, y1) = (from.middle(), from.y + BOX_HEIGHT);
    let (x2, y2) = (to.middle(), to.y);
    let middle = usize::midpoint(y1, y2);
    let class = if how == "table" { "edge" } else { "edge partly" };
    // Writing to a string cannot fail.
    _ = writeln!(
        svg,
        "<path class=\"{class}\" data-from=\"{0}\" data-to=\"{1}\" d=\"M{x1},{y1} C{x1},{middle} {x2},{middle} {x2},{y2}\"/>",
        escape(&from.table.name),
        escape(&to.table.name)
    );
}

fn node(svg: &mut String, place: &PlacedTable<'_>) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docs::model::Read;

    fn table(name: &str, reads: &[String]) -> Table {
        let read = |name: &String| Read {
            name: name.clone(),
            how: "table",
        };
        Table {
            name: name.to_owned(),
            kind: Kind::Table,
            description: String::new(),
            file: None,
            settings: vec![],
            reads: reads.iter().map(read).collect(),
            read_by: vec![],
            columns: vec![],
            predicates: vec![],
            sql: None,
            tests: vec![],
        }
    }

    #[test]
    fn many_tables_of_a_rank_stand_on_several_lines_of_a_page() {
        let names: Vec<String> = (0..30).map(|number| format!("layer.table_{number:02}")).collect();
        let mut tables: Vec<Table> = names.iter().map(|name| table(name, &[])).collect();
        tables.push(table("layer.all", &names));
        let manual = Manual {
            project: String::new(),
            tables,
        };
        let lines: Vec<Vec<&Table>> = ordered(&manual, &ranks(&manual))
            .iter()
            .flat_map(|rank| broken(rank))
            .collect();
        assert!(lines.len() > 3 && lines.iter().all(|line| line_width(line) <= WIDTH_MAX));
        assert_eq!(lines.iter().map(Vec::len).sum::<usize>(), 31);
        let svg = svg(&manual);
        assert_eq!(svg.matches("<path").count(), 30);
        assert_eq!(svg.matches("<rect").count(), 31);
    }

    #[test]
    fn no_tables_are_no_boxes() {
        let manual = Manual {
            project: String::new(),
            tables: vec![],
        };
        assert!(!svg(&manual).contains("<rect"));
    }
}
