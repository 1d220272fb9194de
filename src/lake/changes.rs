use std::collections::HashSet;

use deltalake::kernel::Add;
use object_store::ObjectStoreExt;
use object_store::path::Path;

use super::files::rows_of;
use super::log_entry::{ForeignCommit, LogEntry};
use super::{DataFilesScan, LakeError, LakeTable, Version};

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
    #[error("its rows were replaced in version {version}{by}")]
    Rewritten {
        /// The version that the commit made.
        version: Version,
        /// What it did and who made it, where that was somebody else.
        by: String,
    },
    /// The log no longer reaches back to the version.
    #[error("its log no longer holds version {0}")]
    LogExpired(Version),
    /// Files that held rows are no longer there.
    #[error("a vacuum has taken files of version {0} on")]
    Vacuumed(Version),
    /// The table has gone back to an older version.
    #[error("it is at version {now}, older than version {read} that was read")]
    Restored {
        /// The version it is at.
        now: Version,
        /// The version that was read.
        read: Version,
    },
}

impl Replaced {
    fn rewritten(version: Version, commit: LogEntry) -> Self {
        let foreign = Some(commit).filter(|commit| !commit.says_positions());
        let by = foreign.and_then(|commit| ForeignCommit::of(version, commit));
        Self::Rewritten {
            version,
            by: by.map_or_else(String::new, |by| format!(" ({} by {})", by.operation, by.engine)),
        }
    }
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
        let mut replaced = HashSet::new();
        for version in after + 1..=now {
            let Some(commit) = LogEntry::read(table, version).await? else {
                return Ok(Err(Replaced::LogExpired(version)));
            };
            if commit.replaces_rows() {
                return Ok(Err(Replaced::rewritten(version, commit)));
            }
            changes.takes_rows |= commit.takes_rows;
            changes.files.extend(commit.added);
            replaced.extend(commit.removed);
        }
        // Only such files can be gone: those of the table itself are never vacuumed.
        let old = changes.files.iter().filter(|file| replaced.contains(&file.path));
        if !are_there(table, old).await? {
            return Ok(Err(Replaced::Vacuumed(after + 1)));
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

async fn are_there(table: &LakeTable, files: impl Iterator<Item = &Add>) -> Result<bool, LakeError> {
    let store = table.delta().object_store();
    for file in files {
        let failed = || LakeError::delta("look for the files of", table.name());
        let path = Path::parse(&file.path).map_err(|error| failed()(object_store::Error::from(error).into()))?;
        match store.head(&path).await {
            Ok(_) => {}
            Err(object_store::Error::NotFound { .. }) => return Ok(false),
            Err(error) => return Err(failed()(error.into())),
        }
    }
    Ok(true)
}

/// Every data file of the table.
pub(super) fn data_files(table: &LakeTable) -> Vec<Add> {
    files(table, true)
}

/// The same without their statistics, for reads that have no use for them: making their text takes longer than all else.
pub(super) fn data_files_without_statistics(table: &LakeTable) -> Vec<Add> {
    files(table, false)
}

fn files(table: &LakeTable, with_statistics: bool) -> Vec<Add> {
    let Some(state) = table.state() else { return vec![] };
    let log = state.log_data();
    let files = log.iter().map(|file| Add {
        path: file.path().into_owned(),
        partition_values: file.partition_values_map(),
        size: file.size(),
        modification_time: file.modification_time(),
        data_change: true,
        stats: with_statistics.then(|| file.stats()).flatten(),
        deletion_vector: file.deletion_vector_descriptor(),
        ..Add::default()
    });
    files.collect()
}
