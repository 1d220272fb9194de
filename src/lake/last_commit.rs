//! The last commit of a step in a table: how far its inputs were read, and what others have done to the table since.
//! `read_last_commit` reads it from the log.

use std::collections::BTreeMap;

use super::foreign_commits::{ForeignCommit, Version};

/// How far the rows of a table were read from its inputs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LastCommit {
    /// The version of the newest commit made by a step; `None` if the log no longer holds it.
    pub version: Option<Version>,
    /// The application IDs and versions that apply to the table's rows. Each commit of a step contains all of them, so
    /// one log entry is enough. `None` if the log no longer holds that commit.
    pub transactions: Option<BTreeMap<String, i64>>,
    /// What others have done to the table since, newest first. If the table was restored to one of our versions and not
    /// changed afterward, this excludes everything the restore undid.
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
