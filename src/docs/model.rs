use serde::Serialize;

use crate::lineage::Origin;

/// A project, told.
#[derive(Debug, Serialize)]
pub struct Manual {
    /// The name of the project's folder.
    pub project: String,
    /// Sources, then tables in the order in which they are made.
    pub tables: Vec<Table>,
}

/// What a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Records from outside.
    Source,
    /// A table that a step makes.
    Table,
    /// SQL that is run by whoever reads it.
    View,
    /// A table of the lake that no step makes.
    Foreign,
}

impl Kind {
    /// Whether the project can describe it, in the comments of its SQL or in its step.
    pub fn has_comments(self) -> bool {
        matches!(self, Self::Table | Self::View)
    }

    /// As people call it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Table => "table",
            Self::View => "view",
            Self::Foreign => "table that no step makes",
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
    /// Of pipelines.yaml, or of the head of its SQL file; empty where neither says anything.
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
    /// The columns that decide which rows there are, and in which groups and order.
    pub predicates: Vec<Origin>,
    /// Its statement.
    pub sql: Option<String>,
    /// Its unit tests.
    pub tests: Vec<TestPlace>,
}

/// A setting of a step.
#[derive(Debug, Serialize)]
pub struct Setting {
    /// As in pipelines.yaml.
    pub name: &'static str,
    /// As people read it.
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
    /// Its type, as SQL calls it.
    pub data_type: String,
    /// The heading under which it stands in the SQL.
    pub heading: Option<String>,
    /// What it means.
    pub description: Option<String>,
    /// The columns that its values are computed from.
    pub from: Vec<Origin>,
}

/// Where a unit test is.
#[derive(Debug, Serialize)]
pub struct TestPlace {
    /// What it is about.
    pub name: String,
    /// Its file.
    pub file: String,
    /// Its line.
    pub line: u64,
}
