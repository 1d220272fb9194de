//! The outcome of tests for people: the expected rows next to those found.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use nu_ansi_term::{Color, Style};

use crate::plural::counted;
use crate::shell::has_colors;
use crate::testing::{Change, Diff, DiffRow, Failure, Outcome, Test};

/// Longer values are cut.
const VALUE_LETTERS: usize = 48;
/// Wider tables lose columns in which nothing differs.
const WIDTH: usize = 160;
/// More rows are counted, not shown.
const ROWS: usize = 40;
const NULL: &str = "NULL";

/// A test and how it ended.
pub(super) struct Ended {
    pub test: Arc<Test>,
    pub outcome: Outcome,
}

impl Ended {
    pub fn passed(&self) -> bool {
        self.outcome.failures.is_empty()
    }
}

/// The failed tests, each with its differences, and a summary line.
pub(super) fn text(ended: &[Ended], took: Duration, every: bool) -> String {
    let paint = Paint::new();
    let mut text = String::new();
    // Writing to a string cannot fail.
    for ended in ended {
        let test = &ended.test;
        let place = format!("{}:{}", test.file.display(), test.line);
        if ended.passed() {
            if every {
                let took = milliseconds(ended.outcome.took);
                let mark = paint.of(Color::Green.normal(), "passed");
                _ = writeln!(text, "{mark} {}: {} ({took:.1} ms)", test.step, test.name);
            }
            continue;
        }
        let mark = paint.of(Color::Red.bold(), "FAILED");
        _ = writeln!(text, "{mark} {}: {}\n  {place}", test.step, test.name);
        for failure in &ended.outcome.failures {
            match failure {
                Failure::Error(message) => _ = writeln!(text, "  error: {message}"),
                Failure::Rows { of, diff } => add_diff(&mut text, of, diff, &paint),
            }
        }
        text.push('\n');
    }
    let passed = ended.iter().filter(|ended| ended.passed()).count();
    let (failed, took) = (ended.len() - passed, milliseconds(took));
    let style = if failed > 0 {
        Color::Red.bold()
    } else {
        Color::Green.normal()
    };
    let counted = format!("{passed} passed, {failed} failed");
    _ = writeln!(text, "{} in {took:.0} ms", paint.of(style, &counted));
    text
}

/// A duration in milliseconds, rounded to three decimals.
pub(super) fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// Colors, where there are any.
struct Paint(bool);

impl Paint {
    fn new() -> Self {
        Self(has_colors(&std::io::stdout()))
    }

    fn of(&self, style: Style, text: &str) -> String {
        match self.0 {
            true => style.paint(text).to_string(),
            false => text.to_owned(),
        }
    }
}

/// A cell: its text and style.
#[derive(Clone)]
struct Shown {
    text: String,
    style: Style,
}

fn add_diff(text: &mut String, of: &str, diff: &Diff, paint: &Paint) {
    let count = |change: Change| diff.rows.iter().filter(|row| row.change == change).count();
    let told = [
        (count(Change::Missing), "missing"),
        (count(Change::Unexpected), "unexpected"),
        (count(Change::Differs), "different"),
        (diff.same, "as expected"),
    ];
    let told: Vec<String> = told
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{n} {what}"))
        .collect();
    let told = match diff.reordered {
        true => "the rows are as expected, but in a different order".to_owned(),
        false => format!("rows: {}", told.join(", ")),
    };
    _ = writeln!(text, "  {of}: {told}");
    let columns = columns(diff);
    let mut lines = vec![];
    let header = columns.iter().map(|column| Shown {
        text: diff.columns[*column].clone(),
        style: Style::new().bold(),
    });
    lines.push(("   ", Style::new(), header.collect::<Vec<_>>()));
    for row in diff.rows.iter().take(ROWS) {
        let (mark, style) = mark(row.change);
        lines.push((mark, style, columns.iter().map(|column| shown(row, *column)).collect()));
    }
    let width = |nth: usize| {
        lines
            .iter()
            .map(|(_, _, cells)| letters(&cells[nth].text))
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    for (mark, style, cells) in &lines {
        let mut line = format!("    {} ", paint.of(*style, mark));
        for (cell, width) in cells.iter().zip(&widths) {
            let padding = " ".repeat(width - letters(&cell.text));
            _ = write!(line, "  {}{padding}", paint.of(cell.style, &cell.text));
        }
        _ = writeln!(text, "{}", line.trim_end());
    }
    if diff.rows.len() > ROWS {
        _ = writeln!(text, "    … and {} more", diff.rows.len() - ROWS);
    }
    let hidden = diff.columns.len() - columns.len();
    if hidden > 0 {
        let hidden = counted(
            hidden as u64,
            "column without differences is",
            "columns without differences are",
        );
        _ = writeln!(text, "    ({hidden} not shown)");
    }
}

fn mark(change: Change) -> (&'static str, Style) {
    match change {
        Change::Same => ("   ", Style::new()),
        Change::Missing => ("---", Color::Red.bold()),
        Change::Unexpected => ("+++", Color::Green.bold()),
        Change::Differs => ("-> ", Color::Yellow.bold()),
    }
}

fn shown(row: &DiffRow, column: usize) -> Shown {
    let value = |values: &[Option<String>]| match values.get(column) {
        Some(Some(value)) => short(value),
        _ => NULL.to_owned(),
    };
    match row.change {
        Change::Missing => Shown {
            text: value(&row.expected),
            style: Color::Red.normal(),
        },
        Change::Unexpected => Shown {
            text: value(&row.found),
            style: Color::Green.normal(),
        },
        _ if row.differs.get(column) == Some(&true) => Shown {
            text: format!("{} -> {}", value(&row.expected), value(&row.found)),
            style: Color::Yellow.bold(),
        },
        _ => Shown {
            text: value(&row.expected),
            style: Style::new(),
        },
    }
}

/// All columns. If they are too wide, those with differences, and the first ones.
fn columns(diff: &Diff) -> Vec<usize> {
    let width = |column: usize| {
        let cells = diff.rows.iter().take(ROWS).map(|row| letters(&shown(row, column).text));
        cells.max().unwrap_or(0).max(letters(&diff.columns[column])) + 2
    };
    let matters = |column: usize| diff.rows.iter().any(|row| row.differs.get(column) == Some(&true));
    let mut columns: Vec<usize> = (0..diff.columns.len()).collect();
    let mut total: usize = columns.iter().map(|column| width(*column)).sum();
    for column in (0..diff.columns.len()).rev() {
        if total > WIDTH && !matters(column) && columns.len() > 1 {
            columns.retain(|kept| *kept != column);
            total -= width(column);
        }
    }
    columns
}

fn letters(text: &str) -> usize {
    text.chars().count()
}

fn short(value: &str) -> String {
    let value = value.replace(char::is_control, " ");
    match letters(&value) > VALUE_LETTERS {
        true => value.chars().take(VALUE_LETTERS - 1).chain(['…']).collect(),
        false => value,
    }
}
