use std::collections::BTreeMap;

use deltalake::kernel::{Action, Add, CommitInfo};
use serde_json::Deserializer;

use super::commit::{MODE_KEY, MODE_MERGE};
use super::files::rows_of;
use super::{DataFilesScan, LakeError, LakeTable, Version, positions};

/// What happened to a table after a version, up to the version at which it was opened: the rows that arrived, and
/// whether a merge took rows away.
///
/// Only the log is read: the files that commits added with `dataChange = true` hold the new and the changed rows, and
/// nothing else, because a [`Merge`](super::Merge) writes what it only moves into files of their own, marked
/// `dataChange = false` (as the Delta protocol defines that field). Compaction is invisible for the same reason.
/// A row changed twice may come in both of its versions.
#[derive(Debug, Default)]
pub struct Changes {
    files: Vec<Add>,
    takes_rows: bool,
}

/// Why the rows after a version cannot be told from the others: everything has to be read again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Replaced {
    /// A commit took rows away other than by a merge.
    #[error("its rows were replaced in version {0}")]
    Rewritten(Version),
    /// The log no longer reaches back to the version.
    #[error("its log no longer holds version {0}")]
    LogExpired(Version),
    /// The table has gone back to an older version.
    #[error("it is at version {now}, older than version {read} that was read")]
    Restored {
        /// The version it is at.
        now: Version,
        /// The version that was read.
        read: Version,
    },
}

impl Changes {
    /// Every row of the table.
    pub fn all(table: &LakeTable) -> Self {
        Self {
            files: data_files(table),
            takes_rows: false,
        }
    }

    /// The rows that arrived after version `after`.
    ///
    /// # Errors
    /// When the log cannot be read; the inner error says that rows were not only added or merged since.
    pub async fn since(table: &LakeTable, after: Version) -> Result<Result<Self, Replaced>, LakeError> {
        let now = table.version().unwrap_or(after);
        if now < after {
            return Ok(Err(Replaced::Restored { now, read: after }));
        }
        let mut changes = Self::default();
        for version in after + 1..=now {
            let Some(commit) = LogEntry::read(table, version).await? else {
                return Ok(Err(Replaced::LogExpired(version)));
            };
            if commit.replaces_rows() {
                return Ok(Err(Replaced::Rewritten(version)));
            }
            changes.takes_rows |= commit.takes_rows;
            changes.files.extend(commit.added);
        }
        Ok(Ok(changes))
    }

    /// Whether no row arrived.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Whether the table's rows are still the same: none arrived, and none went.
    pub fn is_unchanged(&self) -> bool {
        self.files.is_empty() && !self.takes_rows
    }

    /// How many rows arrived, where the files' statistics say.
    pub fn rows(&self) -> Option<u64> {
        self.files
            .iter()
            .map(rows_of)
            .sum::<Option<usize>>()
            .map(|rows| rows as u64)
    }

    /// The data files that hold the rows.
    pub fn files(&self) -> &[Add] {
        &self.files
    }

    /// A scan of the rows.
    ///
    /// # Errors
    /// As [`DataFilesScan::try_new`].
    pub fn scan(&self, table: &LakeTable) -> Result<DataFilesScan, LakeError> {
        DataFilesScan::try_new(table, &self.files, None)
    }
}

/// Every data file of the table.
pub(super) fn data_files(table: &LakeTable) -> Vec<Add> {
    let Some(state) = table.state() else { return vec![] };
    let log = state.log_data();
    let files = log.iter().map(|file| Add {
        path: file.path().into_owned(),
        partition_values: file.partition_values_map(),
        size: file.size(),
        modification_time: file.modification_time(),
        data_change: true,
        stats: file.stats(),
        deletion_vector: file.deletion_vector_descriptor(),
        ..Add::default()
    });
    files.collect()
}

/// What matters of one entry of the log.
#[derive(Default)]
pub(super) struct LogEntry {
    added: Vec<Add>,
    takes_rows: bool,
    is_merge: bool,
    changes_table: bool,
    /// Application ids and versions.
    pub transactions: BTreeMap<String, i64>,
}

impl LogEntry {
    fn replaces_rows(&self) -> bool {
        self.takes_rows && !self.is_merge
    }

    /// Whether the table has the same rows and columns as before, read as far as before: a compaction, or the notes of
    /// a vacuum.
    pub fn keeps_rows(&self) -> bool {
        self.added.is_empty() && !self.takes_rows && !self.changes_table
    }

    /// Reads the entry of one version; `None` where the log no longer holds it.
    pub async fn read(table: &LakeTable, version: Version) -> Result<Option<Self>, LakeError> {
        let log = table.delta().log_store();
        let bytes = log
            .read_commit_entry(version)
            .await
            .map_err(LakeError::delta("read the log of", table.name()))?;
        let Some(bytes) = bytes else { return Ok(None) };
        let mut entry = Self::default();
        for action in Deserializer::from_slice(&bytes).into_iter::<Action>() {
            match action.map_err(|reason| damaged(table, version, &reason))? {
                Action::Add(add) if add.data_change => entry.added.push(add),
                Action::Remove(remove) => entry.takes_rows |= remove.data_change,
                Action::CommitInfo(info) => entry.is_merge = is_merge(&info),
                Action::Metadata(_) | Action::Protocol(_) => entry.changes_table = true,
                Action::Txn(read) => _ = entry.transactions.insert(read.app_id, read.version),
                _ => {}
            }
        }
        // A step's commit, even one without rows, says how far its inputs were read.
        entry.changes_table |= entry.transactions.contains_key(positions::SQL);
        Ok(Some(entry))
    }
}

fn is_merge(info: &CommitInfo) -> bool {
    info.info.get(MODE_KEY).and_then(|mode| mode.as_str()) == Some(MODE_MERGE)
}

fn damaged(table: &LakeTable, version: Version, reason: &serde_json::Error) -> LakeError {
    LakeError::Log {
        table: table.name().to_string(),
        version,
        reason: reason.to_string(),
    }
}
