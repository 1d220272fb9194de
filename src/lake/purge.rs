//! Deletes what old versions of a table hold, after rows were taken out of it for good (`erase.rs`): log entries and
//! checkpoints before that commit, whose statistics hold values of the rows, and data files that are no longer part of
//! the table, whatever `retain` says.
//!
//! **Writers.** A file that no version names may belong to a step that is running. Such a step cannot commit it any
//! more if it was written before the erasure: that commit conflicts with it. So only files that are older than the
//! erasure's commit are deleted, by the clock of the store.
//!
//! **Readers.** A query that reads an old version while its files are deleted fails, with an error that says so, and
//! works when it is repeated. Versions before the erasure can no longer be read.
//!
//! All of it can be done again: what is gone already is passed over.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use deltalake::DeltaTableError;
use deltalake::checkpoints::create_checkpoint;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

use super::log_entry::LogEntry;
use super::{LakeError, LakeTable, Version};
use crate::failpoint;

const LOG: &str = "_delta_log";

/// What a purge deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Purged {
    /// The number of data files.
    pub files: usize,
    /// The number of files of the log.
    pub log_files: usize,
}

/// The data files in a table's folder that the table does not name, as far as they are there: of older versions, and of
/// steps that were killed or are running.
///
/// # Errors
/// When the folder cannot be listed.
pub async fn unnamed_files(table: &LakeTable) -> Result<Vec<ObjectMeta>, LakeError> {
    let store = table.delta().object_store();
    let listed: Vec<ObjectMeta> = store
        .list(None)
        .try_collect()
        .await
        .map_err(|error| failed(table)(error.into()))?;
    // Afterwards, so that a file that was committed meanwhile is among those that the table names.
    let now = table.reopened().await?;
    let Some(state) = now.state() else { return Ok(vec![]) };
    let log = state.log_data();
    let named: HashSet<String> = log
        .iter()
        .map(|file| {
            let path = file.path().into_owned();
            Path::parse(&path).map_or(path, |path| path.to_string())
        })
        .collect();
    let is_unnamed = |file: &ObjectMeta| {
        let path = file.location.as_ref();
        path.ends_with(".parquet") && !is_in_log(path) && !named.contains(path)
    };
    Ok(listed.into_iter().filter(is_unnamed).collect())
}

/// Deletes what versions before the newest erasure of a table hold. Nothing, if its log has no erasure.
///
/// # Errors
/// When the log or the files cannot be read or deleted.
pub async fn purge(table: &LakeTable) -> Result<Purged, LakeError> {
    let Some(version) = newest_erasure(table).await? else {
        return Ok(Purged::default());
    };
    let store = table.delta().object_store();
    let entry = Path::from(format!("{LOG}/{version:020}.json"));
    let head = store.head(&entry).await.map_err(|error| failed(table)(error.into()))?;
    failpoint::reach("before_purge").await;
    let log_files = purge_log(table, store.as_ref(), version, head.last_modified).await?;
    failpoint::reach("inside_purge").await;
    let unnamed = unnamed_files(table).await?;
    let old = unnamed.iter().filter(|file| file.last_modified < head.last_modified);
    let files = delete(table, store.as_ref(), old.map(|file| &file.location)).await?;
    let torn = delete_torn(table, head.last_modified)?;
    failpoint::reach("after_purge").await;
    Ok(Purged {
        files: files + torn,
        log_files,
    })
}

async fn newest_erasure(table: &LakeTable) -> Result<Option<Version>, LakeError> {
    let Some(newest) = table.version() else { return Ok(None) };
    for version in (0..=newest).rev() {
        match LogEntry::read(table, version).await? {
            Some(entry) if entry.erases() => return Ok(Some(version)),
            Some(_) => {}
            None => break,
        }
    }
    Ok(None)
}

/// Writes a checkpoint of the erasure's version, and deletes what is before it.
async fn purge_log(
    table: &LakeTable,
    store: &dyn ObjectStore,
    version: Version,
    until: DateTime<Utc>,
) -> Result<usize, LakeError> {
    let log = Path::from(LOG);
    let list = async || -> Result<Vec<Path>, LakeError> {
        let files: Vec<ObjectMeta> = store
            .list(Some(&log))
            .try_collect()
            .await
            .map_err(|error| failed(table)(error.into()))?;
        let is_old = |file: &ObjectMeta| match version_of(&file.location) {
            Some(of) => of < version,
            // Parts of checkpoints, and entries that were never finished.
            None => is_part(&file.location) && file.last_modified < until,
        };
        let mut old: Vec<Path> = files.into_iter().filter(is_old).map(|file| file.location).collect();
        old.sort();
        Ok(old)
    };
    if list().await?.is_empty() {
        return Ok(0);
    }
    let then = table.as_of(version).await?;
    let checkpoint = Path::from(format!("{LOG}/{version:020}.checkpoint.parquet"));
    match store.head(&checkpoint).await {
        Ok(_) => {}
        Err(object_store::Error::NotFound { .. }) => create_checkpoint(then.delta(), None)
            .await
            .map_err(LakeError::delta("write a checkpoint for", table.name()))?,
        Err(error) => return Err(failed(table)(error.into())),
    }
    failpoint::reach("after_erase_checkpoint").await;
    let old = list().await?;
    delete(table, store, old.iter()).await
}

fn is_in_log(path: &str) -> bool {
    path.strip_prefix(LOG).is_some_and(|rest| rest.starts_with('/'))
}

/// The version in the name of an entry, a checkpoint or a checksum.
fn version_of(file: &Path) -> Option<Version> {
    let name = file.filename()?;
    let digits = name
        .get(..20)
        .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()))?;
    digits.parse().ok()
}

fn is_part(file: &Path) -> bool {
    let is_sidecar = file.as_ref().contains("/_sidecars/");
    is_sidecar || file.filename().is_some_and(|name| name.starts_with("_commit_"))
}

async fn delete<'a>(
    table: &LakeTable,
    store: &dyn ObjectStore,
    files: impl Iterator<Item = &'a Path>,
) -> Result<usize, LakeError> {
    let mut deleted = 0;
    for file in files {
        match store.delete(file).await {
            Ok(()) => deleted += 1,
            Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(failed(table)(error.into())),
        }
    }
    Ok(deleted)
}

/// On a disk, the store keeps a file that it is writing under another name (`NAME#1`), which it never lists. A killed
/// process leaves it.
fn delete_torn(table: &LakeTable, until: DateTime<Utc>) -> Result<usize, LakeError> {
    let Ok(folder) = table.delta().table_url().to_file_path() else {
        return Ok(0);
    };
    let until = SystemTime::UNIX_EPOCH + Duration::from_millis(until.timestamp_millis().unsigned_abs());
    let (mut folders, mut deleted): (Vec<PathBuf>, usize) = (vec![folder], 0);
    let mut partitions = vec![];
    let io = |error: std::io::Error| failed(table)(DeltaTableError::Io { source: error });
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).map_err(io)? {
            let entry = entry.map_err(io)?;
            let Ok(data) = entry.metadata() else { continue };
            if data.is_dir() {
                folders.push(entry.path());
                partitions.push(entry.path());
            } else if is_torn(&entry.file_name().to_string_lossy()) && data.modified().map_err(io)? < until {
                std::fs::remove_file(entry.path()).map_err(io)?;
                deleted += 1;
            }
        }
    }
    delete_empty(&partitions);
    Ok(deleted)
}

/// The name of a partition's folder (`user_id=u1`) may tell who was in it. Folders come before those in them.
fn delete_empty(folders: &[PathBuf]) {
    let is_partition = |folder: &&PathBuf| {
        let name = folder.file_name().unwrap_or_default();
        name.to_string_lossy().contains('=')
    };
    for folder in folders.iter().rev().filter(is_partition) {
        // Refused if it is not empty.
        _ = std::fs::remove_dir(folder);
    }
}

fn is_torn(name: &str) -> bool {
    let number = name.rsplit_once('#').map(|(_, number)| number);
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit()))
}

fn failed(table: &LakeTable) -> impl FnOnce(DeltaTableError) -> LakeError {
    LakeError::delta("delete old files of", table.name())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn entries_checkpoints_and_parts_of_the_log_are_told_apart() {
        let version = |name: &str| version_of(&Path::from(format!("{LOG}/{name}")));
        assert_eq!(version("00000000000000000012.json"), Some(12));
        assert_eq!(version("00000000000000000012.checkpoint.parquet"), Some(12));
        assert_eq!(version("00000000000000000012.crc"), Some(12));
        assert_eq!(version("_last_checkpoint"), None);
        assert!(is_part(&Path::from("_delta_log/_sidecars/a.parquet")));
        assert!(is_part(&Path::from("_delta_log/_commit_1.json.tmp")));
        assert!(!is_part(&Path::from("_delta_log/_last_checkpoint")));
        assert!(is_in_log("_delta_log/a.json") && !is_in_log("_delta_logs/a.json"));
    }

    #[test]
    fn empty_partitions_leave_no_name() {
        let lake = tempfile::tempdir().unwrap();
        let [a, b, day, log] =
            ["user_id=a", "user_id=b", "user_id=a/day=1", "_delta_log"].map(|name| lake.path().join(name));
        for folder in [&day, &b, &log] {
            std::fs::create_dir_all(folder).unwrap();
        }
        std::fs::write(b.join("part.parquet"), "").unwrap();
        delete_empty(&[a.clone(), b.clone(), log.clone(), day]);
        assert!(!a.exists() && b.exists() && log.exists());
    }

    #[test]
    fn only_files_that_were_never_finished_are_torn() {
        assert!(is_torn("part-1.parquet#1") && is_torn("a#12"));
        assert!(!is_torn("part-1.parquet") && !is_torn("a#") && !is_torn("a#b"));
    }
}
