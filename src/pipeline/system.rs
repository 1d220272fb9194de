//! Tables that no step makes: what clickrec writes down about its own work, in the layer `system`.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::json::ReaderBuilder;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use serde::Serialize;

use crate::config::TableName;
use crate::lake::write::{Layout, write_streams};
use crate::lake::{Commit, CommitMode, Lake, LakeError, Merge, append as append_to, schema};

/// What evaluations found.
pub const EVALUATIONS: &str = "evaluations";
/// What the steps of each run did.
pub const RUNS: &str = "runs";
/// What expectations found in each run.
pub const EXPECTATIONS: &str = "expectations";
/// Rows that expectations put aside.
pub const QUARANTINE: &str = "quarantine";
const TABLES: [&str; 4] = [EVALUATIONS, RUNS, EXPECTATIONS, QUARANTINE];
/// How often another writer may be faster.
const ATTEMPTS: usize = 5;

/// `system.TABLE`.
pub fn name(table: &str) -> TableName {
    TableName {
        layer: "system".to_owned(),
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
        opened.let_read(&session.state())?;
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
            files: written.files,
            transactions: BTreeMap::new(),
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

/// Another writer may be faster now and then: what it did is read, and all is done anew.
async fn again_after_conflicts(attempt: impl AsyncFn() -> Result<(), LakeError>) -> Result<(), LakeError> {
    let mut attempts = 1;
    loop {
        match attempt().await {
            Err(LakeError::Conflict { .. }) if attempts < ATTEMPTS => attempts += 1,
            other => return other,
        }
    }
}

/// Rows as columns.
pub(super) fn batch(schema: &SchemaRef, rows: &[impl Serialize]) -> Result<RecordBatch, DataFusionError> {
    let mut decoder = ReaderBuilder::new(schema.clone()).build_decoder()?;
    decoder.serialize(rows)?;
    let batch = decoder.flush()?;
    Ok(batch.unwrap_or_else(|| RecordBatch::new_empty(schema.clone())))
}
