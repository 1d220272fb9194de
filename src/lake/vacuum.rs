//! Deletes data files that no version within the retention (`retain`) needs: replaced by merges and compactions, or
//! left behind by a killed step. The Delta library decides which; the least `retain` is checked in `cli/vacuum.rs` and
//! the configuration (`config/validate_maintenance.rs`), and `maintain` calls it when it is due.

use std::collections::HashMap;
use std::time::Duration;

use deltalake::kernel::Transaction;
use deltalake::kernel::transaction::CommitProperties;
use deltalake::operations::vacuum::{VacuumBuilder, VacuumMode};
use futures::TryStreamExt;

use super::{LakeError, LakeTable, positions};

/// A file that no version within the retention period needs: replaced by a merge or a compaction, or left behind by a
/// step that was killed before its commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusedFile {
    /// Relative to the table's folder.
    pub path: String,
    /// Its size; 0 if a concurrent vacuum has just deleted it.
    pub bytes: u64,
}

/// The files that [`vacuum`] would delete.
///
/// # Errors
/// When the table's folder cannot be listed.
pub async fn unused_files(table: &LakeTable, retain: Duration) -> Result<Vec<UnusedFile>, LakeError> {
    let failed = || LakeError::delta("list the files of", table.name());
    let (_, found) = builder(table, retain).with_dry_run(true).await.map_err(failed())?;
    if found.files_deleted.is_empty() {
        return Ok(vec![]);
    }
    let listed = table.delta().object_store().list(None).try_collect::<Vec<_>>().await;
    let listed = listed.map_err(|error| failed()(error.into()))?;
    let sizes: HashMap<String, u64> = listed
        .into_iter()
        .map(|file| (file.location.to_string(), file.size))
        .collect();
    let files = found.files_deleted.into_iter().map(|path| UnusedFile {
        bytes: sizes.get(&path).copied().unwrap_or_default(),
        path,
    });
    Ok(files.collect())
}

/// Deletes the files that no version younger than `retain` needs, including unreferenced files older than that: younger
/// ones may belong to a step that is still running. Returns how many were deleted.
///
/// # Errors
/// When files cannot be listed or deleted.
pub async fn vacuum(table: &LakeTable, retain: Duration) -> Result<usize, LakeError> {
    let now = chrono::Utc::now().timestamp_millis();
    let properties = CommitProperties::default()
        .with_create_checkpoint(false)
        .with_cleanup_expired_logs(Some(false))
        .with_application_transaction(Transaction::new(positions::VACUUM, now));
    let (_, taken) = builder(table, retain)
        .with_commit_properties(properties)
        .await
        .map_err(LakeError::delta("vacuum", table.name()))?;
    Ok(taken.files_deleted.len())
}

fn builder(table: &LakeTable, retain: Duration) -> VacuumBuilder {
    let retain = chrono::Duration::from_std(retain).unwrap_or(chrono::Duration::MAX);
    table
        .delta()
        .clone()
        .vacuum()
        .with_mode(VacuumMode::Full)
        .with_retention_period(retain)
        // The minimum is checked where the setting is read: the table's own property may be the one being shortened.
        .with_enforce_retention_duration(false)
}
