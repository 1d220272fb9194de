//! What arrived in a table since a version, from its log: `changes('…')` of a step, and the new clicks of the server. A
//! row that changed twice may be there twice.

use std::collections::HashSet;

use deltalake::kernel::Add;
use object_store::ObjectStoreExt;
use object_store::path::Path;

use super::data_files::{data_files, rows_of};
use super::log_entry::LogEntry;
use super::{DataFilesScan, ForeignCommit, LakeError, LakeTable, Version};

/// How a table changed between a version and the version at which it was opened: the rows that arrived, and whether a
/// merge removed rows.
///
/// Only the log is read: the files that commits added with `dataChange = true` hold exactly the new and changed rows,
/// because a [`Merge`](super::Merge) writes rows that it merely moves to separate files marked `dataChange = false` (as
/// the Delta protocol defines that field). Compaction is invisible for the same reason. A row changed twice may appear
/// in both versions.
#[derive(Debug, Default)]
pub struct Changes {
    files: Vec<Add>,
    takes_rows: bool,
    erases: bool,
}

/// Why the rows added after a version cannot be identified, so that everything must be read again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Replaced {
    /// A commit removed rows by something other than a merge.
    #[error("its rows were replaced in version {version}{by}")]
    Rewritten {
        /// The version created by the commit.
        version: Version,
        /// The operation and, if it was another writer, its engine.
        by: String,
    },
    /// An erasure took rows out of the table, and it is unknown in which unread files they were, too.
    #[error("an erasure in version {0} removed rows that had not been read")]
    Erased(Version),
    /// The log no longer reaches back to this version.
    #[error("its log no longer holds version {0}")]
    LogExpired(Version),
    /// Data files that held rows have been deleted.
    #[error("a vacuum deleted files of version {0} or later")]
    Vacuumed(Version),
    /// The table was restored to an older version.
    #[error("it is at version {now}, but version {read} has already been read")]
    Restored {
        /// Its current version.
        now: Version,
        /// The version that had been read.
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
            ..Self::default()
        }
    }

    /// The rows that arrived after version `after`.
    ///
    /// # Errors
    /// When the log cannot be read. The inner error reports that rows changed by something other than appends and
    /// merges.
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
            if commit.erases() {
                if !changes.erase(commit, &replaced) {
                    return Ok(Err(Replaced::Erased(version)));
                }
                continue;
            }
            changes.takes_rows |= commit.takes_rows;
            changes.files.extend(commit.added);
            replaced.extend(commit.removed);
        }
        // Only replaced files can be missing: files that are part of the table are never vacuumed.
        let old = changes.files.iter().filter(|file| replaced.contains(&file.path));
        if !are_there(table, old).await? {
            return Ok(Err(Replaced::Vacuumed(after + 1)));
        }
        Ok(Ok(changes))
    }

    /// Follows an erasure: of a file that it rewrote, only the rest is read. Returns false if an unread file had been
    /// replaced before, because that file may hold rows of the person.
    fn erase(&mut self, commit: LogEntry, replaced: &HashSet<String>) -> bool {
        if commit.removed.is_empty() {
            return true;
        }
        if self.files.iter().any(|file| replaced.contains(&file.path)) {
            return false;
        }
        self.erases = true;
        let removed: HashSet<String> = commit.removed.into_iter().collect();
        let (rewritten, mut files): (Vec<Add>, Vec<Add>) = std::mem::take(&mut self.files)
            .into_iter()
            .partition(|file| removed.contains(&file.path));
        let unread: HashSet<String> = rewritten.into_iter().map(|file| file.path).collect();
        let rests = commit.rests.into_iter().filter(|(old, _)| unread.contains(old));
        files.extend(rests.map(|(_, rest)| rest));
        self.files = files;
        true
    }

    /// Whether no rows arrived.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Whether the table's rows are unchanged, apart from erasures: none arrived and none were removed.
    pub fn is_unchanged(&self) -> bool {
        self.files.is_empty() && !self.takes_rows
    }

    /// Whether an erasure took rows out of the table.
    pub fn erases(&self) -> bool {
        self.erases
    }

    /// How many rows arrived, if the files' statistics say so.
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
        let failed = || LakeError::delta("check the files of", table.name());
        let path = Path::parse(&file.path).map_err(|error| failed()(object_store::Error::from(error).into()))?;
        match store.head(&path).await {
            Ok(_) => {}
            Err(object_store::Error::NotFound { .. }) => return Ok(false),
            Err(error) => return Err(failed()(error.into())),
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> Add {
        Add {
            path: path.to_owned(),
            ..Add::default()
        }
    }

    fn erasure(removed: &[&str], rests: &[(&str, &str)]) -> LogEntry {
        LogEntry {
            removed: removed.iter().map(|path| (*path).to_owned()).collect(),
            rests: rests.iter().map(|(old, new)| ((*old).to_owned(), file(new))).collect(),
            ..LogEntry::default()
        }
    }

    fn unread(files: &[&str]) -> Changes {
        Changes {
            files: files.iter().map(|path| file(path)).collect(),
            ..Changes::default()
        }
    }

    fn paths(changes: &Changes) -> Vec<&str> {
        changes.files.iter().map(|file| file.path.as_str()).collect()
    }

    #[test]
    fn of_an_erased_file_the_rest_is_read_once() {
        let none = HashSet::new();
        let mut changes = unread(&["a", "b", "c"]);
        let first = erasure(&["b", "c", "read"], &[("b", "b1"), ("b", "b2"), ("read", "r1")]);
        assert!(changes.erase(first, &none) && changes.erases());
        assert_eq!(paths(&changes), ["a", "b1", "b2"]);
        assert!(changes.erase(erasure(&["b1"], &[("b1", "b3")]), &none));
        assert_eq!(paths(&changes), ["a", "b2", "b3"]);
    }

    #[test]
    fn an_erasure_that_found_nothing_is_no_change() {
        let mut changes = unread(&[]);
        assert!(changes.erase(erasure(&[], &[]), &HashSet::from(["a".to_owned()])));
        assert!(!changes.erases() && changes.is_unchanged());
    }

    #[test]
    fn an_unread_file_that_was_replaced_before_may_hold_what_was_erased() {
        let replaced = HashSet::from(["a".to_owned()]);
        let mut changes = unread(&["a"]);
        assert!(!changes.erase(erasure(&["compacted"], &[("compacted", "rest")]), &replaced));
    }
}
