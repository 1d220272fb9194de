//! The last commit of a table that says how far its inputs were read, and what others have done to the table since.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::log_entry::{ForeignCommit, LogEntry, RestoredTo};
use super::{LakeError, LakeTable, Version};

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

    /// Reads the log backwards from its newest entry to the newest commit made by a step.
    pub(super) async fn read(table: &LakeTable) -> Result<Self, LakeError> {
        let mut last = Self {
            transactions: Some(BTreeMap::new()),
            ..Self::default()
        };
        let Some(newest) = table.version() else { return Ok(last) };
        for version in (0..=newest).rev() {
            match LogEntry::read(table, version).await? {
                Some(entry) if entry.says_positions() => {
                    last.version = Some(version);
                    last.transactions = Some(entry.transactions);
                    break;
                }
                Some(entry) => last.others.extend(ForeignCommit::of(version, entry)),
                None => {
                    last.transactions = None;
                    break;
                }
            }
        }
        match last.undone(table).await {
            Some(undone) => Ok(undone),
            None => Ok(last),
        }
    }

    /// The state after a RESTORE to a version with known positions, if that was the last change. Leaves uncertain cases
    /// to the caller.
    async fn undone(&self, table: &LakeTable) -> Option<Self> {
        // Otherwise it is unknown what had been read, and the positions must be found again.
        let before = self.transactions.clone().filter(|_| self.version.is_some())?;
        let place = self.others.iter().position(ForeignCommit::changes_rows)?;
        let by = &self.others[place];
        let after = match table.version() == Some(by.version) {
            true => table.clone(),
            false => table.as_of(by.version).await.ok()?,
        };
        let then = restored(table, by).await?;
        let to = then.version().filter(|to| *to < by.version)?;
        if files(&then) != files(&after) {
            return None;
        }
        let old = Box::pin(Self::read(&then)).await.ok()?;
        if old.transactions.is_none() || old.version.is_none() || old.rows_changed().is_some() {
            return None;
        }
        let rereads = old.transactions.as_ref() != Some(&before);
        Some(Self {
            version: self.version,
            transactions: old.transactions,
            others: self.others[..place].to_vec(),
            restored: rereads.then(|| Restored {
                by: by.clone(),
                to,
                before,
            }),
        })
    }
}

/// The version that a RESTORE went back to.
async fn restored(table: &LakeTable, by: &ForeignCommit) -> Option<LakeTable> {
    let then = match by.restored_to? {
        RestoredTo::Version(version) => table.as_of(version).await,
        RestoredTo::Time(millis) => {
            let time: DateTime<Utc> = DateTime::from_timestamp_millis(millis)?;
            table.as_of_time(time).await
        }
    };
    then.ok()
}

/// The identity of each of a table's files: its path, and its deleted rows.
fn files(table: &LakeTable) -> BTreeSet<(String, Option<String>)> {
    let Some(state) = table.state() else {
        return BTreeSet::new();
    };
    let files = state.log_data();
    let files = files.iter().map(|file| {
        let deleted = file.deletion_vector_descriptor();
        (file.path().into_owned(), deleted.map(|deleted| format!("{deleted:?}")))
    });
    files.collect()
}
