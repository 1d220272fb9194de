//! Reads the [`LastCommit`] of a table from its log: goes back from the newest entry to the step's own, and collects
//! what others did since.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::foreign_commits::RestoredTo;
use super::log_entry::LogEntry;
use super::{ForeignCommit, LakeError, LakeTable, LastCommit, Restored};

impl LakeTable {
    /// The newest commit made by a step, and what others have done since. If nobody has, one log entry is enough.
    /// Querying Delta for each application ID would replay the log once per ID.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn last_commit(&self) -> Result<&LastCommit, LakeError> {
        self.last_commit.get_or_try_init(|| LastCommit::read(self)).await
    }

    /// The application IDs and versions of the newest commit that a step made; `None` if the log no longer holds it.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn transactions(&self) -> Result<Option<&BTreeMap<String, i64>>, LakeError> {
        Ok(self.last_commit().await?.transactions.as_ref())
    }

    /// The version committed for an application ID; `None` if there is none.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn transaction(&self, app_id: &str) -> Result<Option<i64>, LakeError> {
        if let Some(transactions) = self.transactions().await? {
            return Ok(transactions.get(app_id).copied());
        }
        self.transaction_in_log(app_id).await
    }
}

impl LastCommit {
    /// Reads the log backward from its newest entry to the newest commit made by a step.
    async fn read(table: &LakeTable) -> Result<Self, LakeError> {
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
