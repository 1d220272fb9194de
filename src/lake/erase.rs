//! Takes rows out of a table for good: rewrites the files that hold some, and commits that in one entry of the log.
//! `src/erase/` says which rows; `purge.rs` deletes what old versions still hold.
//!
//! The commit changes no data in the sense of the Delta protocol (`dataChange = false`): the rows that it writes are old
//! ones, so `changes('…')` does not return them again. Each new file says whose rest it is, so that a step that has not
//! read the old file reads the rest (`changes.rs`). The commit repeats the positions of the step's last one, so that the
//! log before it is no longer needed. What another writer had planned before it conflicts with it (`commit.rs`), even if
//! it took no row: such a writer may hold rows that it read before.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU64;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use chrono::Utc;
use datafusion::error::DataFusionError;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{Expr, ident, lit};
use datafusion::prelude::SessionContext;
use deltalake::kernel::transaction::CommitBuilder;
use deltalake::kernel::{Action, Add, Transaction};
use deltalake::protocol::DeltaOperation;
use futures::future::try_join_all;

use super::commit::{is_in_log, new_id, properties};
use super::commit_keys::{MODE_ERASE, REST_OF_KEY};
use super::compact::removed;
use super::data_files::{data_files, rows_of};
use super::old_rows::FILE_COLUMN;
use super::write::{Layout, TARGET_FILE_BYTES, write_files};
use super::{Changes, DataFilesScan, Lake, LakeError, LakeTable, Version, positions};
use crate::config::TableName;
use crate::failpoint;

/// How many times an erasure is planned again after losing to other writers.
const ATTEMPTS: usize = 16;
/// The number of files that are rewritten concurrently.
const FILES_AT_ONCE: usize = 8;

/// A data file, and how many of its rows meet a condition.
#[derive(Debug, Clone)]
pub struct Holding {
    /// The file.
    pub file: Add,
    /// The number of rows, at least one.
    pub rows: u64,
}

/// What an erasure did to a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Erased {
    /// The number of rows that are gone.
    pub rows: u64,
    /// The number of files that held them.
    pub files: usize,
    /// The version that it committed.
    pub version: Version,
}

/// A file, and those that hold what remains of it.
struct Rewrite {
    old: Holding,
    new: Vec<Add>,
}

/// Which of these files hold rows that meet a condition. Opens only the columns that the condition names, and of these
/// only the parts that may hold such rows according to the statistics in the files.
///
/// # Errors
/// When a file cannot be read.
pub async fn holding(
    table: &LakeTable,
    files: &[Add],
    condition: &Expr,
    session: &SessionContext,
) -> Result<Vec<Holding>, LakeError> {
    if files.is_empty() {
        return Ok(vec![]);
    }
    table.register_store(&session.state())?;
    let scan = DataFilesScan::try_new(table, files, Some(FILE_COLUMN))?;
    let counts = session
        .read_table(Arc::new(scan))?
        .filter(condition.clone())?
        .aggregate(vec![ident(FILE_COLUMN)], vec![count(lit(1_i64)).alias("__rows")])?
        .collect()
        .await?;
    let mut found: HashMap<String, u64> = HashMap::new();
    for batch in &counts {
        let paths = cast(batch.column(0), &DataType::Utf8).map_err(DataFusionError::from)?;
        let rows = cast(batch.column(1), &DataType::Int64).map_err(DataFusionError::from)?;
        let rows = rows.as_primitive::<Int64Type>().iter();
        for (path, rows) in paths.as_string::<i32>().iter().zip(rows) {
            let rows = rows.and_then(|rows| u64::try_from(rows).ok()).unwrap_or_default();
            *found.entry(path.unwrap_or_default().to_owned()).or_default() += rows;
        }
    }
    let held = files.iter().filter_map(|file| {
        let rows = *found.get(&file.path)?;
        Some(Holding {
            file: file.clone(),
            rows,
        })
    });
    Ok(held.collect())
}

/// Takes the rows that meet a condition out of the current version of a table; `None` if there is no such table. Commits
/// even if there are no such rows, see the module. With `advances`, the positions of the inputs in which nothing arrived
/// advance to their current versions, so that the step does not need the log of their erasures.
///
/// # Errors
/// [`LakeError::Conflict`] if other writers were faster every time; [`LakeError::ChangedByOthers`] if another engine's
/// change would go unnoticed; and when files cannot be read or written.
pub async fn erase(
    lake: &Lake,
    name: &TableName,
    condition: &Expr,
    advances: bool,
    session: &SessionContext,
) -> Result<Option<Erased>, LakeError> {
    let mut attempt = 1;
    loop {
        let table = lake.table(name).await?;
        let Some(schema) = table.schema()? else { return Ok(None) };
        refuse_changes_of_others(&table).await?;
        let layout = Layout {
            schema,
            partition_by: partition_columns(&table),
        };
        let transactions = transactions(lake, &table, advances).await?;
        let held = holding(&table, &data_files(&table), condition, session).await?;
        let mut rewrites = vec![];
        for held in held.chunks(FILES_AT_ONCE) {
            let written = held
                .iter()
                .map(|held| rewrite(&table, held, condition, session, &layout));
            rewrites.extend(try_join_all(written).await?);
        }
        failpoint::reach("before_erase").await;
        match commit(&table, &rewrites, transactions).await {
            Ok(version) => {
                failpoint::reach("after_erase").await;
                return Ok(Some(Erased {
                    rows: rewrites.iter().map(|rewrite| rewrite.old.rows).sum(),
                    files: rewrites.len(),
                    version,
                }));
            }
            // What was written for it stays until the purge, which knows what the table names.
            Err(LakeError::Conflict { .. }) if attempt < ATTEMPTS => {
                tracing::debug!(table = %name, attempt, "another writer committed before the erasure");
                attempt += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

fn partition_columns(table: &LakeTable) -> Vec<String> {
    let state = table.state();
    state.map_or_else(Vec::new, |state| state.metadata().partition_columns().to_vec())
}

/// The commit repeats the step's positions, which hides what others did before it.
async fn refuse_changes_of_others(table: &LakeTable) -> Result<(), LakeError> {
    let last = table.last_commit().await?;
    let restored = last.restored.as_ref().map(|restored| &restored.by);
    let Some(by) = last.rows_changed().or(restored) else {
        return Ok(());
    };
    let is_ours = last.version.is_some() || table.transaction_in_log(positions::SQL).await?.is_some();
    match is_ours {
        true => Err(LakeError::ChangedByOthers {
            table: table.name().to_string(),
            by: by.to_string(),
        }),
        false => Ok(()),
    }
}

/// The positions of the last commit of the step that makes the table; none if the log no longer holds it.
async fn transactions(lake: &Lake, table: &LakeTable, advances: bool) -> Result<BTreeMap<String, i64>, LakeError> {
    let mut transactions = table.transactions().await?.cloned().unwrap_or_default();
    for (id, read) in transactions.iter_mut().filter(|_| advances) {
        let (Some(name), Ok(version)) = (positions::table_of(id), Version::try_from(*read)) else {
            continue;
        };
        let input = lake.table(&name).await?;
        let is_same = input.id().is_some_and(|uuid| positions::of_table(&name, &uuid) == *id);
        let Some(now) = input.version().filter(|_| is_same) else {
            continue;
        };
        if matches!(Changes::since(&input, version).await?, Ok(since) if since.is_empty()) {
            *read = i64::try_from(now).unwrap_or(*read);
        }
    }
    Ok(transactions)
}

/// Writes what remains of a file.
async fn rewrite(
    table: &LakeTable,
    held: &Holding,
    condition: &Expr,
    session: &SessionContext,
    layout: &Layout,
) -> Result<Rewrite, LakeError> {
    let scan = DataFilesScan::try_new(table, std::slice::from_ref(&held.file), None)?;
    let rest = session
        .read_table(Arc::new(scan))?
        .filter(condition.clone().is_not_true())?;
    // As large as the old file: compaction may have made larger ones than steps do.
    let old_bytes = u64::try_from(held.file.size).unwrap_or_default();
    let bytes = NonZeroU64::new(old_bytes).map_or(TARGET_FILE_BYTES, |bytes| bytes.max(TARGET_FILE_BYTES));
    let written = write_files(table, vec![rest.execute_stream().await?], layout, bytes).await?;
    let read = written.rows + held.rows;
    match rows_of(&held.file) {
        Some(known) if known as u64 != read => Err(LakeError::Erasure {
            table: table.name().to_string(),
            known: known as u64,
            read,
        }),
        _ => Ok(Rewrite {
            old: held.clone(),
            new: written.files,
        }),
    }
}

/// Takes whole files out of a table, with their rows, in a commit of the same kind.
pub(super) async fn take_out(table: &LakeTable, files: Vec<Add>) -> Result<Version, LakeError> {
    refuse_changes_of_others(table).await?;
    let transactions = table.transactions().await?.cloned().unwrap_or_default();
    let rewrites = files.into_iter().map(|file| Rewrite {
        old: Holding { file, rows: 0 },
        new: vec![],
    });
    commit(table, &rewrites.collect::<Vec<_>>(), transactions).await
}

async fn commit(
    table: &LakeTable,
    rewrites: &[Rewrite],
    transactions: BTreeMap<String, i64>,
) -> Result<Version, LakeError> {
    let now = Utc::now().timestamp_millis();
    let mut actions = vec![];
    for Rewrite { old, new } in rewrites {
        actions.push(Action::Remove(removed(&old.file, now)));
        actions.extend(new.iter().map(|file| {
            Action::Add(Add {
                data_change: false,
                tags: Some(HashMap::from([(REST_OF_KEY.to_owned(), Some(old.file.path.clone()))])),
                ..file.clone()
            })
        }));
    }
    let transactions = transactions.iter().map(|(id, version)| Transaction::new(id, *version));
    let (id, next) = (new_id(), table.version().map_or(0, |version| version + 1));
    let properties =
        properties(MODE_ERASE, &id, actions.len(), None).with_application_transactions(transactions.collect());
    let committed = CommitBuilder::from(properties)
        .with_actions(actions)
        .build(
            table.state().map(|state| state as _),
            table.delta().log_store(),
            // Without the condition, which names the person.
            DeltaOperation::Delete { predicate: None },
        )
        .await;
    match committed {
        Ok(committed) => Ok(committed.version()),
        Err(error) if is_in_log(table, next, &id).await => {
            tracing::warn!(table = %table.name(), version = next, %error, "erased, but the reply was lost");
            Ok(next)
        }
        Err(error) => Err(LakeError::delta("erase rows of", table.name())(error)),
    }
}
