//! Combines small data files into larger ones, and commits that without changing a row. A file is small below half the
//! target size; `compact_after` small files of similar size, of one partition, are enough. Tries again up to 16 times
//! if other writers are faster. Called by `maintain` and by `clickrec optimize`.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use datafusion::catalog::TableProvider;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::ident;
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::SessionContext;
use deltalake::kernel::transaction::CommitBuilder;
use deltalake::kernel::{Action, Add, Remove};
use deltalake::protocol::DeltaOperation;

use super::commit::{has_files, new_id, properties};
use super::commit_keys::MODE_COMPACT;
use super::data_files::{data_files, rows_of};
use super::log_entry::LogEntry;
use super::write::{Layout, write_files};
use super::{DataFilesScan, LakeError, LakeTable, Version};

/// How many times a compaction is retried after losing to other writers.
const ATTEMPTS: usize = 16;
/// The base-2 logarithm of the ratio between the largest and the smallest file of a size class.
const CLASS_BITS: u32 = 3;

/// Which files of a table to compact, and into what.
#[derive(Debug, Clone)]
pub struct Compaction<'a> {
    /// The minimum number of small files in a partition (and size class).
    pub min_files: usize,
    /// The size of the new files. A file of at least half this size is not small.
    pub file_bytes: NonZeroU64,
    /// Younger files are left alone.
    pub min_age: Duration,
    /// Compacts only files of similar size, so that a row is rewritten a few times in its life instead of with every
    /// other batch (the tiered compaction of log-structured stores).
    pub by_size: bool,
    /// Columns to sort the rows by.
    pub cluster_by: &'a [String],
}

/// What a compaction did, or would do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compacted {
    /// The number of small files that were compacted.
    pub files_before: usize,
    /// The number of files that replaced them.
    pub files_after: usize,
    /// The total size of the small files.
    pub bytes_before: u64,
    /// The total size of the new files.
    pub bytes_after: u64,
    /// The version it committed; `None` if there was nothing to do.
    pub version: Option<Version>,
}

/// Partition values and size class.
type Kind = (Vec<(String, Option<String>)>, u32);

/// Files to be rewritten as one or a few files.
struct Rewrite {
    old: Vec<Add>,
    new: Vec<Add>,
}

/// The files that would be compacted, without compacting them. Reads only the log that the table was opened with.
pub fn compactable(table: &LakeTable, compaction: &Compaction<'_>) -> Compacted {
    let groups = groups(table, compaction);
    Compacted {
        files_before: groups.iter().map(Vec::len).sum(),
        files_after: groups.iter().map(|files| files_of(bytes(files), compaction)).sum(),
        bytes_before: groups.iter().map(|files| bytes(files)).sum(),
        ..Compacted::default()
    }
}

/// Compacts small files in one commit that changes no rows (`dataChange = false`), so neither `changes('…')` nor a
/// merge sees it. Rows are streamed, and sorts spill.
///
/// This does not use the Delta library's OPTIMIZE: two concurrent runs both succeed and duplicate the rows, because its
/// conflict check ignores files that the other run removed without changing data. Here files are replaced only if the
/// previous version still contains all of them; if another writer was faster, the compaction is retried with the files
/// that are left.
///
/// # Errors
/// When files cannot be read or written. [`LakeError::Conflict`] if other writers were faster every time.
pub async fn compact(
    table: &LakeTable,
    compaction: &Compaction<'_>,
    session: &SessionContext,
) -> Result<Compacted, LakeError> {
    let groups = groups(table, compaction);
    let (Some(state), Some(schema), false) = (table.state(), table.schema()?, groups.is_empty()) else {
        return Ok(Compacted::default());
    };
    let layout = Layout {
        schema,
        partition_by: state.metadata().partition_columns().to_vec(),
    };
    table
        .delta()
        .update_datafusion_session(&session.state())
        .map_err(LakeError::delta("read", table.name()))?;
    let mut rewrites = vec![];
    for old in groups {
        let rows = rows(table, &old, compaction, session).await?;
        let written = write_files(table, vec![rows], &layout, compaction.file_bytes).await?;
        let known: Option<usize> = old.iter().map(rows_of).sum();
        if known.is_some_and(|known| known as u64 != written.rows) {
            return Err(LakeError::Compaction {
                table: table.name().to_string(),
                known: known.unwrap_or_default() as u64,
                written: written.rows,
            });
        }
        rewrites.push(Rewrite {
            old,
            new: written.files,
        });
    }
    commit(table.clone(), rewrites, compaction).await
}

/// The small files, grouped by what is rewritten together, each group in the order in which the files were written.
fn groups(table: &LakeTable, compaction: &Compaction<'_>) -> Vec<Vec<Add>> {
    let half = compaction.file_bytes.get() / 2;
    let oldest = i64::try_from(compaction.min_age.as_millis()).unwrap_or(i64::MAX);
    let newest = Utc::now().timestamp_millis().saturating_sub(oldest);
    let is_small = |bytes: i64, written: i64| size(bytes) < half && written <= newest;
    let least = compaction.min_files.max(2);
    // Counting comes first: it is the whole cost when nothing is due.
    let Some(state) = table.state() else { return vec![] };
    let log = state.log_data();
    let small = log
        .iter()
        .filter(|file| is_small(file.size(), file.modification_time()));
    if small.count() < least {
        return vec![];
    }
    let mut alike: BTreeMap<Kind, Vec<Add>> = BTreeMap::new();
    for file in data_files(table) {
        if is_small(file.size, file.modification_time) && file.deletion_vector.is_none() {
            let mut partition: Vec<_> = file.partition_values.clone().into_iter().collect();
            partition.sort();
            let class = if compaction.by_size {
                size(file.size).max(1).ilog2() / CLASS_BITS
            } else {
                0
            };
            alike.entry((partition, class)).or_default().push(file);
        }
    }
    let mut groups = vec![];
    for mut files in alike.into_values().filter(|files| files.len() >= least) {
        files.sort_by(|a, b| (a.modification_time, &a.path).cmp(&(b.modification_time, &b.path)));
        if compaction.cluster_by.is_empty() {
            groups.extend(bins(files, compaction.file_bytes.get()));
        } else {
            // Sorted together, so that each new file covers its own range.
            groups.push(files);
        }
    }
    groups
}

/// Groups files that are adjacent in time up to the size of a new file, and drops groups of a single file.
fn bins(files: Vec<Add>, most: u64) -> Vec<Vec<Add>> {
    let mut bins: Vec<Vec<Add>> = vec![];
    let mut filled = u64::MAX;
    for file in files {
        let bytes = size(file.size);
        match bins.last_mut().filter(|_| filled.saturating_add(bytes) <= most) {
            Some(bin) => {
                filled += bytes;
                bin.push(file);
            }
            None => {
                filled = bytes;
                bins.push(vec![file]);
            }
        }
    }
    bins.retain(|bin| bin.len() > 1);
    bins
}

async fn rows(
    table: &LakeTable,
    files: &[Add],
    compaction: &Compaction<'_>,
    session: &SessionContext,
) -> Result<SendableRecordBatchStream, LakeError> {
    let scan = DataFilesScan::try_new(table, files, None)?;
    if compaction.cluster_by.is_empty() {
        // Reads one file after another.
        let plan = scan.scan(&session.state(), None, &[], None).await?;
        return Ok(execute_stream(plan, session.task_ctx())?);
    }
    let order = compaction
        .cluster_by
        .iter()
        .map(|column| ident(column).sort(true, true));
    let sorted = session.read_table(Arc::new(scan))?.sort(order.collect())?;
    Ok(sorted.execute_stream().await?)
}

async fn commit(
    table: LakeTable,
    mut rewrites: Vec<Rewrite>,
    compaction: &Compaction<'_>,
) -> Result<Compacted, LakeError> {
    let (written_for, mut table) = (table.clone(), table);
    let mut attempt = 1;
    loop {
        rewrites.retain(|rewrite| has_files(&table, rewrite.old.iter().map(|file| file.path.as_str())));
        if rewrites.is_empty() || !same_layout(&written_for, &table) {
            // Another writer has rewritten the files itself; the new files stay invisible.
            return Ok(Compacted::default());
        }
        match replace(&table, &rewrites, compaction).await {
            Ok(version) => return Ok(compacted(&rewrites, version)),
            Err(LakeError::Conflict { .. }) if attempt < ATTEMPTS => {
                tracing::debug!(table = %table.name(), attempt, "another writer committed before the compaction");
                attempt += 1;
                let newer = table.reopened().await?;
                if erased_since(&table, &newer).await? {
                    // The erasure may delete files that were written before it, and these are among them.
                    return Ok(Compacted::default());
                }
                table = newer;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Whether rows of a person were taken out of a table between two versions of it.
async fn erased_since(before: &LakeTable, now: &LakeTable) -> Result<bool, LakeError> {
    let (Some(before), Some(newest)) = (before.version(), now.version()) else {
        return Ok(false);
    };
    for version in before + 1..=newest {
        match LogEntry::read(now, version).await? {
            Some(entry) if !entry.erases() => {}
            // An erasure also deletes the entries before it.
            _ => return Ok(true),
        }
    }
    Ok(false)
}

fn same_layout(before: &LakeTable, now: &LakeTable) -> bool {
    let (Some(before), Some(now)) = (before.state(), now.state()) else {
        return false;
    };
    let (old, new) = (before.metadata(), now.metadata());
    old.id() == new.id() && old.partition_columns() == new.partition_columns() && before.schema() == now.schema()
}

async fn replace(table: &LakeTable, rewrites: &[Rewrite], compaction: &Compaction<'_>) -> Result<Version, LakeError> {
    let now = Utc::now().timestamp_millis();
    let mut actions = vec![];
    for rewrite in rewrites {
        actions.extend(rewrite.old.iter().map(|file| Action::Remove(removed(file, now))));
        actions.extend(rewrite.new.iter().map(|file| {
            Action::Add(Add {
                data_change: false,
                ..file.clone()
            })
        }));
    }
    let operation = DeltaOperation::Optimize {
        predicate: None,
        target_size: i64::try_from(compaction.file_bytes.get()).unwrap_or(i64::MAX),
    };
    let state = table.state().map(|state| state as _);
    let committed = CommitBuilder::from(properties(MODE_COMPACT, &new_id(), actions.len(), None))
        .with_actions(actions)
        .build(state, table.delta().log_store(), operation)
        .await
        .map_err(LakeError::delta("compact", table.name()))?;
    Ok(committed.version())
}

/// The action that removes a file without removing rows.
pub(super) fn removed(file: &Add, now: i64) -> Remove {
    Remove {
        path: file.path.clone(),
        data_change: false,
        deletion_timestamp: Some(now),
        extended_file_metadata: Some(true),
        partition_values: Some(file.partition_values.clone()),
        size: Some(file.size),
        ..Remove::default()
    }
}

fn compacted(rewrites: &[Rewrite], version: Version) -> Compacted {
    let old = || rewrites.iter().flat_map(|rewrite| &rewrite.old);
    let new = || rewrites.iter().flat_map(|rewrite| &rewrite.new);
    Compacted {
        files_before: old().count(),
        files_after: new().count(),
        bytes_before: old().map(|file| size(file.size)).sum(),
        bytes_after: new().map(|file| size(file.size)).sum(),
        version: Some(version),
    }
}

fn bytes(files: &[Add]) -> u64 {
    files.iter().map(|file| size(file.size)).sum()
}

fn size(bytes: i64) -> u64 {
    u64::try_from(bytes).unwrap_or_default()
}

fn files_of(bytes: u64, compaction: &Compaction<'_>) -> usize {
    usize::try_from(bytes.div_ceil(compaction.file_bytes.get()))
        .unwrap_or(1)
        .max(1)
}
