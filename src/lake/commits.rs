//! What is known of the commits of a table.

use std::collections::BTreeMap;
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

/// How far the rows of a table were read from its inputs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LastCommit {
    /// The version of the newest commit made by a step; `None` if the log no longer holds it.
    pub version: Option<Version>,
    /// The application IDs and versions that apply to the table's rows. Each commit of a step contains all of them, so
    /// one log entry is enough. `None` if the log no longer holds that commit.
    pub transactions: Option<BTreeMap<String, i64>>,
    /// What others have done to the table since, newest first. If the table was restored to one of our versions and not
    /// changed afterwards, this excludes everything the restore undid.
    pub others: Vec<ForeignCommit>,
    /// Set if another engine restored the table to one of our versions, from before some inputs were read.
    pub restored: Option<Restored>,
}

/// A restore of a table to an older version, file by file: that version's positions apply again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The commit that restored it.
    pub by: ForeignCommit,
    /// The version whose rows it has now.
    pub to: Version,
    /// The positions before the restore: whatever was read in between must be read again.
    pub before: BTreeMap<String, i64>,
}

impl LastCommit {
    /// The first later commit by others that removed or changed rows.
    pub fn rows_taken(&self) -> Option<&ForeignCommit> {
        self.others.iter().rev().find(|other| other.takes_rows)
    }

    /// The first later commit by others that changed the rows in any way.
    pub fn rows_changed(&self) -> Option<&ForeignCommit> {
        self.others.iter().rev().find(|other| other.changes_rows())
    }
}
