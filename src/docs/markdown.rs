use std::fmt::Write;

use super::model::{Column, Manual, Table};
use crate::lineage::Origin;

/// The manual as Markdown, a chapter a table.
pub fn markdown(manual: &Manual) -> String {
    let mut text = format!("# {}\n", plain(&manual.project));
    // Writing to a string cannot fail.
    for table in &manual.tables {
        _ = writeln!(
            text,
            "- [{0}](#{1}) ({2})",
            table.name,
            anchor(&table.name),
            table.kind.word()
        );
    }
    text = text.replacen('\n', "\n\n", 1);
    for table in &manual.tables {
        chapter(&mut text, table);
    }
    text
}

fn chapter(text: &mut String, table: &Table) {
    _ = writeln!(text, "\n## {}\n", table.name);
    if !table.description.is_empty() {
        _ = writeln!(text, "{}\n", plain(&table.description));
    }
    for setting in &table.settings {
        _ = writeln!(text, "- {}: `{}`", setting.name, setting.value);
    }
    if !table.reads.is_empty() {
        let reads = table.reads.iter().map(|read| match read.how {
            "table" => link(&read.name),
            how => format!("{} ({how})", link(&read.name)),
        });
        _ = writeln!(text, "- reads: {}", reads.collect::<Vec<_>>().join(", "));
    }
    if !table.read_by.is_empty() {
        let readers: Vec<String> = table.read_by.iter().map(|name| link(name)).collect();
        _ = writeln!(text, "- read by: {}", readers.join(", "));
    }
    if !table.predicates.is_empty() {
        _ = writeln!(
            text,
            "- rows, groups and order are decided by: {}",
            origins(&table.predicates)
        );
    }
    if !table.columns.is_empty() {
        _ = writeln!(
            text,
            "\n| column | type | what it is | computed from |\n|---|---|---|---|"
        );
    }
    for column in &table.columns {
        let cells = [
            format!("`{}`", column.name),
            column.data_type.clone(),
            cell(&meaning(column)),
            origins(&column.from),
        ];
        _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    if !table.tests.is_empty() {
        _ = writeln!(text, "\nTests:\n");
    }
    for test in &table.tests {
        _ = writeln!(text, "- {} (`{}:{}`)", plain(&test.name), test.file, test.line);
    }
    if let Some(sql) = &table.sql {
        let file = table.file.as_deref().unwrap_or_default();
        _ = writeln!(text, "\n`{file}`:\n\n{0}sql\n{1}\n{0}", fence(sql), sql.trim_end());
    }
}

/// The heading and the description of a column.
pub(super) fn meaning(column: &Column) -> String {
    let parts = [column.heading.as_ref(), column.description.as_ref()];
    let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
    parts.join(": ")
}

fn origins(origins: &[Origin]) -> String {
    let names: Vec<String> = origins
        .iter()
        .map(|origin| format!("`{}.{}`", origin.table, origin.column))
        .collect();
    names.join(", ")
}

fn link(name: &str) -> String {
    format!("[{name}](#{})", anchor(name))
}

/// As GitHub makes them of headings.
fn anchor(name: &str) -> String {
    name.replace('.', "")
}

/// Text that Markdown does not read anything into.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '<' | '>' | '*' | '[' | ']' | '\\') {
            plain.push('\\');
        }
        plain.push(letter);
    }
    plain
}

fn cell(text: &str) -> String {
    plain(text).replace('|', "\\|").replace('\n', " ")
}

/// A fence that the text does not close.
fn fence(text: &str) -> String {
    let mut fence = "```".to_owned();
    while text.contains(&fence) {
        fence.push('`');
    }
    fence
}
