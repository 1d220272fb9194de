//! The manual as Markdown, with a chapter per table.

use std::fmt::Write;

use super::model::{Column, Manual, Table};
use super::prose::{Part, parts};
use crate::lineage::Origin;

/// Replaces a missing description.
const MISSING: &str = "*not described*";

/// The manual as Markdown, with one chapter per table.
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
    } else if table.kind.has_comments() {
        _ = writeln!(text, "{MISSING}\n");
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
            "- rows, groups and order depend on: {}",
            origins(&table.predicates)
        );
    }
    if !table.columns.is_empty() {
        _ = writeln!(
            text,
            "\n| column | type | description | computed from |\n|---|---|---|---|"
        );
    }
    for column in &table.columns {
        let cells = [
            format!("`{}`", column.name),
            column.data_type.clone(),
            meaning(column, table.kind.has_comments()),
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
fn meaning(column: &Column, has_comments: bool) -> String {
    let description = match &column.description {
        Some(text) => Some(cell(text)),
        None => has_comments.then(|| MISSING.to_owned()),
    };
    let parts = [column.heading.as_deref().map(cell), description];
    parts.into_iter().flatten().collect::<Vec<_>>().join(": ")
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

/// The anchor that GitHub derives from a heading.
fn anchor(name: &str) -> String {
    name.replace('.', "")
}

/// A comment, escaped so that only its code is formatted.
fn plain(comment: &str) -> String {
    let mut plain = String::with_capacity(comment.len());
    for part in parts(comment) {
        match part {
            Part::Code(code) => _ = write!(plain, "`{code}`"),
            Part::Text(text) => text.chars().for_each(|letter| {
                if matches!(letter, '<' | '>' | '*' | '[' | ']' | '\\' | '`') {
                    plain.push('\\');
                }
                plain.push(letter);
            }),
        }
    }
    plain
}

fn cell(text: &str) -> String {
    plain(text).replace('|', "\\|").replace('\n', " ")
}

/// A fence that the text does not contain.
fn fence(text: &str) -> String {
    let mut fence = "```".to_owned();
    while text.contains(&fence) {
        fence.push('`');
    }
    fence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_of_comments_stays_as_it_is() {
        assert_eq!(plain("`a[1] < b` or a[1] ` *"), "`a[1] < b` or a\\[1\\] \\` \\*");
        assert_eq!(cell("`a | b`\nor c"), "`a \\| b` or c");
    }
}
