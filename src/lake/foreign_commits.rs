//! Commits that other engines made (`DELETE`, `RESTORE`, …): what they did to a table's rows; and the type of a
//! version.

use std::fmt;

/// A version of a Delta table.
pub type Version = u64;

/// What a RESTORE went back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RestoredTo {
    Version(Version),
    /// Milliseconds since 1970.
    Time(i64),
}

/// A commit by another writer that changed a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignCommit {
    /// The version it created.
    pub version: Version,
    /// Delta's name of the operation.
    pub operation: String,
    /// The engine that made it.
    pub engine: String,
    /// Whether rows were removed or changed.
    pub takes_rows: bool,
    /// Whether rows were added.
    pub adds_rows: bool,
    pub(super) restored_to: Option<RestoredTo>,
}

impl ForeignCommit {
    /// Whether the commit changed the table's rows.
    pub fn changes_rows(&self) -> bool {
        self.takes_rows || self.adds_rows
    }
}

impl fmt::Display for ForeignCommit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by {} in version {}", self.operation, self.engine, self.version)
    }
}
