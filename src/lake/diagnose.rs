//! Diagnoses a log that Delta cannot read: names the file and says how to fix it.

use deltalake::{DeltaTable, ObjectStore};
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use object_store::path::Path;

use super::{LakeError, LakeTable, SYSTEM_LAYER, Version};
use crate::config::TableName;

pub(super) const NEWEST_HELP: &str = "it is the newest entry: if you move it away, the table is as it was before that \
                                      commit, and the next run continues from there, without loss or duplicates";
pub(super) const OLDER_HELP: &str = "restore the file from a copy, or rebuild the table from its input: clickrec run \
                                     --full-refresh --select TABLE+";
/// For a table that no step writes: the content of a lost entry cannot be recomputed from anywhere.
pub(super) const SYSTEM_HELP: &str = "restore the file from a copy; without one, move the table's folder away and \
                                      rebuild the steps that write to it: clickrec run --full-refresh --select STEP";
/// The entry is intact: it must never be moved away.
pub(super) const UNKNOWN_HELP: &str = "leave the file where it is: it is intact, but in a format that this version \
                                       does not know; to find the engine that wrote it: clickrec history TABLE";
const HINT: &str = "_last_checkpoint";
const HINT_HELP: &str = "if all entries from 00000000000000000000.json on exist, move _last_checkpoint away, so that \
                         they are read instead; otherwise restore the checkpoint from a copy";
const CHECKPOINT_HELP: &str = "move it and _last_checkpoint away, so that the entries before it are read instead, if \
                               they still exist (`log_retain`); otherwise restore it from a copy";
/// The magic bytes at both ends of a Parquet file.
const PARQUET: &[u8] = b"PAR1";

/// The file of a log entry.
pub(super) fn log_file(table: &LakeTable, version: Version) -> String {
    format!("{}_delta_log/{version:020}.json", shown(table.delta()))
}

/// The table's folder, as a user would write it.
fn shown(table: &DeltaTable) -> String {
    let url = table.table_url();
    url.to_file_path()
        .map_or_else(|()| url.to_string(), |path| format!("{}/", path.display()))
}

/// The first problem in the log since its last checkpoint; `None` if none is found.
pub(super) async fn diagnose(table: &DeltaTable, name: &TableName) -> Option<LakeError> {
    let store = table.object_store();
    let log = Path::from("_delta_log");
    let files: Vec<_> = store.list(Some(&log)).try_collect().await.ok()?;
    let mut files: Vec<Path> = files.into_iter().map(|file| file.location).collect();
    files.sort();
    let error = |file: &str, reason: String, help| {
        Some(LakeError::Log {
            table: name.to_string(),
            file: format!("{}_delta_log/{file}", shown(table)),
            reason,
            help,
        })
    };
    let checkpoints: Vec<&Path> = files.iter().filter(|file| is_checkpoint(file)).collect();
    if checkpoints.is_empty() && files.iter().any(|file| file.filename() == Some(HINT)) {
        return error(
            HINT,
            "the checkpoint that it names does not exist".to_owned(),
            HINT_HELP,
        );
    }
    if let Some(file) = checkpoints.last() {
        let bytes = read(store.as_ref(), file).await?;
        let is_parquet = file.as_ref().ends_with(".parquet");
        if is_parquet && !(bytes.starts_with(PARQUET) && bytes.ends_with(PARQUET)) {
            let reason = "the checkpoint is not complete".to_owned();
            return error(file.filename()?, reason, CHECKPOINT_HELP);
        }
    }
    let first = checkpoints
        .last()
        .and_then(|file| version_of(file))
        .map_or(0, |version| version + 1);
    let entries: Vec<&Path> = files.iter().filter(|file| is_entry(file)).collect();
    let needed = entries.iter().filter(|file| version_of(file) >= Some(first));
    for (expected, file) in (first..).zip(needed) {
        if version_of(file) != Some(expected) {
            let missing = format!("{expected:020}.json");
            return error(
                &missing,
                format!("it is missing, although {} exists", file.filename()?),
                OLDER_HELP,
            );
        }
        let bytes = read(store.as_ref(), file).await?;
        let torn = serde_json::Deserializer::from_slice(&bytes)
            .into_iter::<serde_json::Value>()
            .find_map(Result::err);
        if let Some(reason) = torn {
            let newest = entries.last() == Some(file);
            let help = match name.layer == SYSTEM_LAYER {
                true => SYSTEM_HELP,
                false if newest => NEWEST_HELP,
                false => OLDER_HELP,
            };
            return error(file.filename()?, format!("it is truncated or damaged: {reason}"), help);
        }
    }
    None
}

/// Matches `VERSION.json`; the names of compacted logs and V2 checkpoints are longer.
fn is_entry(file: &Path) -> bool {
    let number = file.filename().and_then(|name| name.strip_suffix(".json"));
    number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Matches `VERSION.checkpoint…`, of either kind, but not the files in `_sidecars`.
fn is_checkpoint(file: &Path) -> bool {
    let rest = file.filename().and_then(|name| name.split_once('.'));
    rest.is_some_and(|(_, rest)| rest.starts_with("checkpoint.")) && version_of(file).is_some()
}

fn version_of(file: &Path) -> Option<Version> {
    file.filename()?.split('.').next()?.parse().ok()
}

async fn read(store: &dyn ObjectStore, file: &Path) -> Option<bytes::Bytes> {
    store.get(file).await.ok()?.bytes().await.ok()
}
