//! What each commit of a table did, newest first, from its log.

use std::collections::BTreeMap;

use super::data_files::rows_of;
use super::log_entry::{CommitInfo, lines};
use super::{LakeError, LakeTable, Version};

/// What one commit did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommitSummary {
    /// The version it created.
    pub version: Version,
    /// Its time in milliseconds since 1970.
    pub at: Option<i64>,
    /// Delta's name of the operation.
    pub operation: Option<String>,
    /// How a step changed the table; `compact` for a compaction.
    pub mode: Option<String>,
    /// `forward` where a step's new logic began to hold for new rows alone; the day of a backfill.
    pub logic: Option<String>,
    /// The engine that made it: clickrec and its version, or another engine.
    pub engine: Option<String>,
    /// Rows in the files it added; `None` if their statistics do not say.
    pub rows_added: Option<u64>,
    /// Files it added.
    pub files_added: u64,
    /// Files it removed from the table.
    pub files_removed: u64,
    /// The total size of the files it added.
    pub bytes_added: u64,
    /// Input positions: application IDs and versions.
    pub positions: BTreeMap<String, i64>,
}

/// The commits of a table, newest first, at most `limit` of them, as far back as the log goes.
///
/// # Errors
/// When an entry of the log cannot be read.
pub async fn history(table: &LakeTable, limit: usize) -> Result<Vec<CommitSummary>, LakeError> {
    let Some(newest) = table.version() else {
        return Ok(vec![]);
    };
    let log = table.delta().log_store();
    let mut commits = vec![];
    for version in (0..=newest).rev().take(limit) {
        let bytes = log
            .read_commit_entry(version)
            .await
            .map_err(LakeError::delta("read the log of", table.name()))?;
        let Some(bytes) = bytes else { break };
        commits.push(summary(version, &bytes));
    }
    Ok(commits)
}

/// When a version was committed, in milliseconds since 1970; `None` if the log does not say or no longer holds it.
pub(super) async fn committed_at(table: &LakeTable, version: Version) -> Result<Option<i64>, LakeError> {
    let log = table.delta().log_store();
    let entry = log.read_commit_entry(version).await;
    let entry = entry.map_err(LakeError::delta("read the log of", table.name()))?;
    Ok(entry.and_then(|bytes| summary(version, &bytes).at))
}

fn summary(version: Version, entry: &[u8]) -> CommitSummary {
    let mut commit = CommitSummary {
        version,
        rows_added: Some(0),
        ..CommitSummary::default()
    };
    // Unreadable lines of a damaged entry are skipped here; the steps that need them report the damage.
    for line in lines(entry).map_while(Result::ok) {
        if let Some(add) = line.add {
            commit.files_added += 1;
            commit.bytes_added += u64::try_from(add.size).unwrap_or_default();
            let rows = rows_of(&add).map(|rows| rows as u64);
            commit.rows_added = commit.rows_added.zip(rows).map(|(sum, rows)| sum + rows);
        }
        commit.files_removed += u64::from(line.remove.is_some());
        if let Some(read) = line.txn {
            commit.positions.insert(read.app_id, read.version);
        }
        if let Some(info) = line.commit_info {
            let info = CommitInfo::of(&info);
            commit.at = info.at;
            commit.mode = info.mode;
            commit.logic = info.logic;
            commit.engine = info.engine;
            commit.operation = info.operation;
        }
    }
    commit
}
