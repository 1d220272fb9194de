//! The content of a manual, whatever its format; `clickrec docs --json` prints it as it is.

use serde::Serialize;

use crate::lineage::Origin;

/// The manual of a project.
#[derive(Debug, Serialize)]
pub struct Manual {
    /// The name of the project's folder.
    pub project: String,
    /// Sources, then tables in build order.
    pub tables: Vec<Table>,
}

/// The kind of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Records from outside.
    Source,
    /// A table that a step writes.
    Table,
    /// A view, whose SQL runs when it is read.
    View,
    /// A table of the lake that no step writes.
    Foreign,
}

impl Kind {
    /// Whether the project can describe it, in the comments of its SQL or in its step.
    pub fn has_comments(self) -> bool {
        matches!(self, Self::Table | Self::View)
    }

    /// Its name for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Table => "table",
            Self::View => "view",
            Self::Foreign => "table that no step writes",
        }
    }
}

/// A table, view or source.
#[derive(Debug, Serialize)]
pub struct Table {
    /// `layer.table`, or the name of a source.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// From pipelines.yaml, or from the top of its SQL file; empty if neither has one.
    pub description: String,
    /// The SQL file.
    pub file: Option<String>,
    /// Its mode, key, partitions and so on, as configured.
    pub settings: Vec<Setting>,
    /// What its SQL reads.
    pub reads: Vec<Read>,
    /// The tables and views that read it.
    pub read_by: Vec<String>,
    /// Its columns.
    pub columns: Vec<Column>,
    /// The columns that determine its rows, their groups and their order.
    pub predicates: Vec<Origin>,
    /// Its statement.
    pub sql: Option<String>,
    /// Its unit tests.
    pub tests: Vec<TestPlace>,
}

/// A setting of a step.
#[derive(Debug, Serialize)]
pub struct Setting {
    /// Its key in pipelines.yaml.
    pub name: &'static str,
    /// Its value, formatted for people.
    pub value: String,
}

/// An input of a statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Read {
    /// The table, view or source.
    pub name: String,
    /// `table`, `changes`, `latest` or `previous`.
    pub how: &'static str,
}

/// A column.
#[derive(Debug, Serialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its SQL type.
    pub data_type: String,
    /// Its heading in the SQL.
    pub heading: Option<String>,
    /// What it means.
    pub description: Option<String>,
    /// The columns that its values are computed from.
    pub from: Vec<Origin>,
}

/// Where a unit test is.
#[derive(Debug, Serialize)]
pub struct TestPlace {
    /// Its name, which says what it checks.
    pub name: String,
    /// Its file.
    pub file: String,
    /// Its line.
    pub line: u64,
}
