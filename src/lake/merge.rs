//! A merge: takes the keys out of a step's result while it is written, and prepares the commit that replaces the old
//! rows of these keys (`old_rows` finds them). A key may have many rows, in the result as in the table (all items of a
//! session). `backend/local.rs` calls it; for a cluster, `merge_plans` does the same in plans.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use datafusion::catalog::memory::MemorySourceConfig;
use datafusion::common::{JoinType, Result as QueryResult};
use datafusion::datasource::MemTable;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryPool;
use datafusion::logical_expr::ident;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::prelude::SessionContext;
use deltalake::kernel::{Add, Remove};
use futures::{StreamExt, TryStreamExt};

use super::data_files::data_files_without_statistics;
use super::merge_keys::{Keyed, Keys, NullKeys, nulls_of};
use super::old_rows::{files_with_keys, join_keys, rest};
use super::write::{Layout, write_streams};
use super::{CommitMode, DataFilesScan, LakeError, LakeTable, MergeKey};
use crate::config::TableName;
use crate::failpoint;

/// The number of touched files rewritten concurrently.
const FILES_AT_ONCE: usize = 8;

/// Replaces the rows of the keys in a result: every old row whose key appears in the result is removed, and the
/// result's rows are added. A key may have many rows on both sides (all items of a session), which Delta's own MERGE
/// does not allow.
///
/// The result's keys are kept while it streams into new files. The table's key columns are then joined with them to
/// find the files that contain these keys, and the remaining rows of those files are rewritten. Files without any such
/// key are not rewritten.
///
/// Memory: the result's keys, reserved as they arrive, and a hash table of them; the table itself is streamed.
#[derive(Debug, Clone)]
pub struct Merge {
    table: TableName,
    pub(super) key: Vec<String>,
    deleted: Option<String>,
    nulls: NullKeys,
    kept: Option<Arc<Mutex<Keys>>>,
}

impl Merge {
    /// A merge by `key`. If `deleted` names a boolean column of the result, rows in which it is true only delete old
    /// rows; the column itself is not stored.
    pub fn new(table: &TableName, key: &[String], deleted: Option<&str>) -> Self {
        Self {
            table: table.clone(),
            key: key.to_vec(),
            deleted: deleted.map(str::to_owned),
            nulls: NullKeys::Refuse,
            kept: None,
        }
    }

    /// Sets what happens to rows whose key is NULL; an error by default.
    #[must_use]
    pub fn with_null_keys(self, nulls: NullKeys) -> Self {
        Self { nulls, ..self }
    }

    /// Keeps the keys as they pass, within the limits of `pool`. Required for [`Merge::finish`], but not if the result
    /// replaces the whole table.
    #[must_use]
    pub fn keeping_keys(mut self, pool: &Arc<dyn MemoryPool>) -> Self {
        self.kept = Some(Arc::new(Mutex::new(Keys::new(&self.table, pool))));
        self
    }

    /// How its keys are extracted where another process writes the rows.
    pub fn by_key(&self) -> MergeKey {
        MergeKey {
            columns: self.key.clone(),
            deleted: self.deleted.clone(),
            nulls: self.nulls,
        }
    }

    /// The rows of a result that are to be written.
    ///
    /// # Errors
    /// When the result lacks one of the columns. The stream fails if a key is NULL or the keys take too much memory.
    pub fn pass(&self, stream: SendableRecordBatchStream) -> QueryResult<SendableRecordBatchStream> {
        let schema = stream.schema();
        let keyed = Keyed::new(&self.table, &self.key, self.deleted.as_deref(), self.nulls, &schema)?;
        let kept = self.kept.clone();
        let rows = stream.map(move |batch| {
            let split = keyed.split(&batch?)?;
            if let Some(kept) = &kept {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.keep(&split.keys, false)?;
                if let Some(deleted) = &split.deleted {
                    kept.keep(deleted, true)?;
                }
            }
            Ok(split.rows)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }

    /// To be called once every stream has passed: finds the files that hold old rows, and writes their remaining rows.
    ///
    /// # Errors
    /// When the table cannot be read or written.
    pub async fn finish(
        self,
        table: &LakeTable,
        session: &SessionContext,
        layout: &Layout,
    ) -> Result<CommitMode, LakeError> {
        let keys = self.taken();
        failpoint::reach("inside_merge").await;
        let all = data_files_without_statistics(table);
        let touched = match keys.first() {
            Some(_) if !all.is_empty() => files_with_keys(&self.key, table, session, &all, &keys).await?,
            _ => vec![],
        };
        let kept = self.kept(table, session, &touched, &keys, layout).await?;
        Ok(CommitMode::Merge {
            kept,
            touched: removes(table, &touched),
        })
    }

    /// Writes the remaining rows of each touched file to a file of its own. If they were combined, rows that are never
    /// touched again would be rewritten by every merge, and each merge would take longer than the last.
    async fn kept(
        &self,
        table: &LakeTable,
        session: &SessionContext,
        touched: &[Add],
        keys: &[RecordBatch],
        layout: &Layout,
    ) -> Result<Vec<Add>, LakeError> {
        let Some(first) = keys.first().filter(|_| !touched.is_empty()) else {
            return Ok(vec![]);
        };
        let old = DataFilesScan::try_new(table, touched, None)?.file_by_file()?;
        let new = MemorySourceConfig::try_new_exec(&[keys.to_vec()], first.schema(), None)?;
        let left = rest(&self.key, old, new)?;
        let mut kept = vec![];
        let files: Vec<usize> = (0..touched.len()).collect();
        for files in files.chunks(FILES_AT_ONCE) {
            let rows = files.iter().map(|file| left.execute(*file, session.task_ctx()));
            kept.extend(
                write_streams(table, rows.collect::<QueryResult<_>>()?, layout)
                    .await?
                    .files,
            );
        }
        Ok(kept)
    }

    /// For a table in memory, once every stream has passed: the rows whose key is not in the result.
    ///
    /// # Errors
    /// When the table lacks the key columns.
    pub async fn others(&self, table: RecordBatch, session: &SessionContext) -> Result<Vec<RecordBatch>, LakeError> {
        let keys = self.taken();
        if keys.is_empty() {
            return Ok(vec![table]);
        }
        let old = Arc::new(MemTable::try_new(table.schema(), vec![vec![table]])?);
        let others = join_keys(&self.key, session, old, keys, JoinType::LeftAnti)?;
        Ok(others.collect().await?)
    }

    /// All keys that were kept.
    fn taken(&self) -> Vec<RecordBatch> {
        let kept = self.kept.as_deref();
        kept.map(|kept| kept.lock().unwrap_or_else(PoisonError::into_inner).take())
            .unwrap_or_default()
    }

    /// Rereads the keys of written rows after some rows were dropped: old rows that only the dropped ones would have
    /// replaced remain. The keys of rows that only delete others are unchanged.
    ///
    /// # Errors
    /// When a key is NULL or a file cannot be read.
    pub async fn keep_keys_of(
        &self,
        table: &LakeTable,
        session: &SessionContext,
        layout: &Layout,
        files: &[Add],
    ) -> Result<(), LakeError> {
        let mut keys = self.keys_of(table, session, layout, files).await?;
        let kept = || Some(self.kept.as_deref()?.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(mut kept) = kept() {
            kept.forget_rows();
        }
        while let Some(keys) = keys.try_next().await? {
            if let Some(mut kept) = kept() {
                kept.keep(&keys, false)?;
            }
        }
        Ok(())
    }

    /// The keys in files that were written but not committed; the stream fails if one is NULL.
    pub(super) async fn keys_of(
        &self,
        table: &LakeTable,
        session: &SessionContext,
        layout: &Layout,
        files: &[Add],
    ) -> Result<SendableRecordBatchStream, LakeError> {
        let columns: Vec<_> = self.key.iter().map(ident).collect();
        let rows = session.read_table(Arc::new(DataFilesScan::of_new(table, layout, files)?))?;
        let rows = rows.select(columns)?.execute_stream().await?;
        let keyed = Keyed::new(&self.table, &self.key, None, NullKeys::Refuse, &rows.schema())?;
        let schema = keyed.schema.clone();
        let keys = rows.map(move |batch| Ok(keyed.split(&batch?)?.keys));
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, keys)))
    }

    /// Whether these files may contain rows with a NULL in their key, according to their statistics.
    pub fn may_have_null_keys(&self, files: &[Add]) -> bool {
        let has_none = |file: &Add| {
            let nulls = nulls_of(file);
            self.key.iter().all(|column| match file.partition_values.get(column) {
                Some(value) => value.is_some(),
                None => nulls.get(column) == Some(&0),
            })
        };
        self.nulls == NullKeys::Write && !files.iter().all(has_none)
    }
}

pub(super) fn removes(table: &LakeTable, touched: &[Add]) -> Vec<Remove> {
    let paths: HashSet<&str> = touched.iter().map(|file| file.path.as_str()).collect();
    let Some(state) = table.state() else { return vec![] };
    let files = state.log_data();
    files
        .iter()
        .filter(|file| paths.contains(file.path().as_ref()))
        .map(|file| file.remove_action(true))
        .collect()
}
