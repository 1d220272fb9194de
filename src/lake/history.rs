use std::collections::BTreeMap;

use deltalake::kernel::Action;
use serde_json::Deserializer;

use super::commit::{MODE_KEY, VERSION_KEY};
use super::files::rows_of;
use super::{LakeError, LakeTable, Version};

/// What one commit did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommitSummary {
    /// The version that it made.
    pub version: Version,
    /// When, in milliseconds since 1970.
    pub at: Option<i64>,
    /// Delta's word for it.
    pub operation: Option<String>,
    /// How a step changed the table; `compact` for a compaction.
    pub mode: Option<String>,
    /// Who made it: clickrec and its version, or another engine.
    pub engine: Option<String>,
    /// Rows in the files that it added; `None` where their statistics do not say.
    pub rows_added: Option<u64>,
    /// Files that it added.
    pub files_added: u64,
    /// Files that it took out of the table.
    pub files_removed: u64,
    /// The size of the files that it added.
    pub bytes_added: u64,
    /// How far inputs were read: application ids and versions.
    pub positions: BTreeMap<String, i64>,
}

/// The commits of a table, newest first, at most `limit`, as far back as the log goes.
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

/// When a version was committed, in milliseconds since 1970; `None` where the log does not say, or no longer holds it.
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
    // What cannot be parsed is of a kind that this does not tell about.
    for action in Deserializer::from_slice(entry)
        .into_iter::<Action>()
        .map_while(Result::ok)
    {
        match action {
            Action::Add(add) => {
                commit.files_added += 1;
                commit.bytes_added += u64::try_from(add.size).unwrap_or_default();
                let rows = rows_of(&add).map(|rows| rows as u64);
                commit.rows_added = commit.rows_added.zip(rows).map(|(sum, rows)| sum + rows);
            }
            Action::Remove(_) => commit.files_removed += 1,
            Action::Txn(read) => _ = commit.positions.insert(read.app_id, read.version),
            Action::CommitInfo(info) => {
                let text = |key: &str| Some(info.info.get(key)?.as_str()?.to_owned());
                commit.at = info.timestamp;
                commit.mode = text(MODE_KEY);
                commit.engine = text(VERSION_KEY)
                    .map(|version| format!("clickrec {version}"))
                    .or_else(|| info.engine_info.clone())
                    .or_else(|| text("clientVersion"));
                commit.operation = info.operation;
            }
            _ => {}
        }
    }
    commit
}
