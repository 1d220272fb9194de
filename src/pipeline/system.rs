//! The tables that no step makes, in the layer `system`: what clickrec records about its own work (`runs`,
//! `expectations`, `quarantine`, `evaluations`, `erasures`). Writing is retried if other writers are faster, for about a
//! minute.

use std::collections::BTreeMap;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::json::ReaderBuilder;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;
use serde::Serialize;
use tokio::time::sleep;

use crate::config::TableName;
use crate::lake::write::{Layout, discard, write_streams};
use crate::lake::{Commit, CommitMode, Lake, LakeError, Merge, SYSTEM_LAYER, append as append_to, positions, schema};

/// What evaluations found.
pub const EVALUATIONS: &str = "evaluations";
/// What the steps of each run did.
pub const RUNS: &str = "runs";
/// What expectations found in each run.
pub const EXPECTATIONS: &str = "expectations";
/// Rows that expectations rejected.
pub const QUARANTINE: &str = "quarantine";
/// Receipts of erasures, without ids.
pub const ERASURES: &str = "erasures";
const TABLES: [&str; 5] = [EVALUATIONS, RUNS, EXPECTATIONS, QUARANTINE, ERASURES];
/// How often another writer may be faster: with the pauses between, for about a minute.
const ATTEMPTS: u32 = 40;
/// The longest first pause, and the longest of all.
const PAUSE: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(3);

/// `system.TABLE`.
pub fn name(table: &str) -> TableName {
    TableName {
        layer: SYSTEM_LAYER.to_owned(),
        table: table.to_owned(),
    }
}

/// Their names.
pub(super) fn tables() -> impl Iterator<Item = TableName> {
    TABLES.into_iter().map(name)
}

/// Adds rows to a table, and makes it where it is not there yet.
///
/// # Errors
/// When the lake refuses, or others write all the time.
pub async fn append(
    lake: &Lake,
    session: &SessionContext,
    table: &TableName,
    rows: RecordBatch,
) -> Result<(), LakeError> {
    let layout = layout(table, &rows)?;
    again_after_conflicts(async || {
        let plan = session.read_batch(rows.clone())?.create_physical_plan().await?;
        let opened = lake.table(table).await?;
        append_to(&opened, &plan, &session.task_ctx(), layout.clone())
            .await
            .map(drop)
    })
    .await
}

/// Replaces the rows of a table that have the keys of these rows.
///
/// # Errors
/// As [`append`].
pub(super) async fn upsert(
    lake: &Lake,
    session: &SessionContext,
    table: &TableName,
    key: &[String],
    rows: RecordBatch,
) -> Result<(), LakeError> {
    let layout = layout(table, &rows)?;
    again_after_conflicts(async || {
        let opened = lake.table(table).await?;
        opened.register_store(&session.state())?;
        let merge = Merge::new(table, key, None).keeping_keys(session.task_ctx().memory_pool());
        let rows = session.read_batch(rows.clone())?.execute_stream().await?;
        let written = write_streams(&opened, vec![merge.pass(rows)?], &layout).await?;
        let mode = match opened.version() {
            Some(_) => merge.finish(&opened, session, &layout).await?,
            None => CommitMode::Append,
        };
        let commit = Commit {
            mode,
            layout: layout.clone(),
            files: written.files.clone(),
            transactions: BTreeMap::from([(positions::SQL.to_owned(), 0)]),
            logic: None,
        };
        let applied = commit.apply(&opened).await;
        if let Err(LakeError::Conflict { .. }) = applied {
            discard(&opened, &written.files).await;
        }
        applied.map(drop)
    })
    .await
}

/// Takes the rows out of a table that have these keys.
///
/// # Errors
/// As [`append`].
pub(super) async fn remove(
    lake: &Lake,
    session: &SessionContext,
    table: &TableName,
    key: &[String],
    keys: RecordBatch,
) -> Result<(), LakeError> {
    again_after_conflicts(async || {
        let opened = lake.table(table).await?;
        let Some(schema) = opened.schema()? else { return Ok(()) };
        opened.register_store(&session.state())?;
        let layout = Layout {
            schema,
            partition_by: vec![],
        };
        let merge = Merge::new(table, key, None).keeping_keys(session.task_ctx().memory_pool());
        let mut passed = merge.pass(session.read_batch(keys.clone())?.execute_stream().await?)?;
        while passed.try_next().await?.is_some() {}
        let commit = Commit {
            mode: merge.finish(&opened, session, &layout).await?,
            layout,
            files: vec![],
            transactions: BTreeMap::from([(positions::SQL.to_owned(), 0)]),
            logic: None,
        };
        commit.apply(&opened).await.map(drop)
    })
    .await
}

fn layout(table: &TableName, rows: &RecordBatch) -> Result<Layout, LakeError> {
    Ok(Layout {
        schema: schema::storable(table, rows.schema_ref())?,
        partition_by: vec![],
    })
}

/// Others write to these tables all the time: what they did is read, and all is done again, after a pause of random
/// length so that several writers do not stay in step.
async fn again_after_conflicts(attempt: impl AsyncFn() -> Result<(), LakeError>) -> Result<(), LakeError> {
    let mut attempts = 1;
    loop {
        match attempt().await {
            Err(LakeError::Conflict { .. }) if attempts < ATTEMPTS => {
                let longest = PAUSE.saturating_mul(1 << attempts.min(16)).min(PAUSE_MAX);
                sleep(longest.mul_f64(rand::random())).await;
                attempts += 1;
            }
            other => return other,
        }
    }
}

/// Rows as columns.
///
/// # Errors
/// When a row does not fit the columns.
pub fn batch(schema: &SchemaRef, rows: &[impl Serialize]) -> Result<RecordBatch, DataFusionError> {
    let mut decoder = ReaderBuilder::new(schema.clone()).build_decoder()?;
    decoder.serialize(rows)?;
    let batch = decoder.flush()?;
    Ok(batch.unwrap_or_else(|| RecordBatch::new_empty(schema.clone())))
}
