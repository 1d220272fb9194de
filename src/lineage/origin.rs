//! A column that values are computed from.

use std::collections::BTreeSet;

use serde::Serialize;

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Origin {
    /// The table: the name of its [`NamedTable`](super::NamedTable), or the name in the statement.
    pub table: String,
    /// The column.
    pub column: String,
}

/// Columns of tables.
pub type Origins = BTreeSet<Origin>;
