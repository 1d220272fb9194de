//! The files of a project that read a sample, as text: the source, the view that parses it, its test, and what follows
//! from records that become several rows.
//!
//! - `columns`: what `from_json` declares; `comments`: why; `extra`: what has no column; `clicks_sql`: the view
//!   `silver.clicks`.
//! - `unit_test`: its test, of real records.
//! - `edits`: changes to the shipped files.

mod clicks_sql;
mod columns;
mod comments;
mod edits;
mod extra;
#[cfg(test)]
mod tests;
mod unit_test;

use super::findings::Findings;

pub use edits::{Files, Shipped};

const CLICKS_SQL: &str = "sql/silver/clicks.sql";

/// The files of a project that reads the sample, as far as they differ from those of any new project.
pub fn files(findings: &Findings, shipped: &Shipped) -> Files {
    let mut files = vec![
        (CLICKS_SQL.to_owned(), clicks(findings)),
        (
            "sql/tests/silver_clicks.yaml".to_owned(),
            unit_test::unit_test(findings),
        ),
        (
            "pipelines.yaml".to_owned(),
            edits::pipelines(&findings.sources, shipped),
        ),
        edits::catalog(),
    ];
    files.extend(edits::bronze(&findings.sources, shipped));
    if findings.mapping.list.is_some() {
        files.extend(edits::for_lines(shipped));
    }
    files
}

/// A query that parses and checks the records in `changes('bronze.clicks')`: the view `silver.clicks`.
pub fn clicks(findings: &Findings) -> String {
    clicks_sql::clicks_sql(findings)
}

/// What the user has to edit before records are accepted: `FILE:LINE: what`.
pub fn to_do(findings: &Findings) -> Vec<String> {
    let edits = comments::edits(&clicks(findings));
    let edits = edits
        .into_iter()
        .map(|(line, what)| format!("{CLICKS_SQL}:{line}: {what}"));
    edits.collect()
}
