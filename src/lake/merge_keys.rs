//! The keys of a merge's result: extracted from its rows, and kept until the old rows of these keys are looked up; and
//! what happens to a NULL key: it is an error, unless an expectation may set the row aside before the commit. A key may
//! have many rows, in the result as in the table: see `merge.rs`. Where a backend keeps them meanwhile is
//! `backend/merge_keys.rs`.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, UInt64Array};
use arrow::compute::{filter_record_batch, is_not_null, not, take_record_batch};
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::Result as QueryResult;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use deltalake::kernel::Add;
use serde::{Deserialize, Serialize};

use super::LakeError;
use super::schema::storable;
use super::write::conform;
use crate::config::TableName;

/// Extracts the keys of a merge's result from its rows.
#[derive(Debug)]
pub(super) struct Keyed {
    table: TableName,
    key: Vec<usize>,
    deleted: Option<usize>,
    nulls: NullKeys,
    /// The key columns, in the types that the table stores.
    pub schema: SchemaRef,
}

/// What happens to a row whose key is NULL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NullKeys {
    /// An error: the row could never be replaced.
    Refuse,
    /// It is written, because a later check may set it aside before the commit. It replaces nothing.
    Write,
}

/// A batch of a merge's result.
pub(super) struct Split {
    /// The keys of the rows that are written.
    pub keys: RecordBatch,
    /// The keys of rows that only delete others.
    pub deleted: Option<RecordBatch>,
    /// The rows to write.
    pub rows: RecordBatch,
}

impl Keyed {
    /// For a result with this schema.
    ///
    /// # Errors
    /// When the schema lacks one of the columns.
    pub fn new(
        table: &TableName,
        key: &[String],
        deleted: Option<&str>,
        nulls: NullKeys,
        schema: &Schema,
    ) -> QueryResult<Self> {
        let key = key.iter().map(|column| schema.index_of(column));
        let key = key.collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            table: table.clone(),
            deleted: deleted.map(|column| schema.index_of(column)).transpose()?,
            schema: storable(table, &schema.project(&key)?).map_err(external)?,
            nulls,
            key,
        })
    }

    /// Splits a batch into its keys and the rows to write.
    ///
    /// # Errors
    /// When a key is NULL and NULLs are refused.
    pub fn split(&self, batch: &RecordBatch) -> QueryResult<Split> {
        let keys = conform(&batch.project(&self.key)?, &self.schema)?;
        let deletes = self.deleted.map(|column| batch.column(column).as_boolean());
        let Some(deletes) = deletes.filter(|deletes| deletes.true_count() > 0) else {
            return Ok(Split {
                keys: self.without_nulls(keys, self.nulls)?,
                deleted: None,
                rows: batch.clone(),
            });
        };
        let stays = not(deletes)?;
        let deleted = filter_record_batch(&keys, deletes)?;
        Ok(Split {
            keys: self.without_nulls(filter_record_batch(&keys, &stays)?, self.nulls)?,
            deleted: Some(self.without_nulls(deleted, NullKeys::Refuse)?),
            rows: filter_record_batch(batch, &stays)?,
        })
    }

    fn without_nulls(&self, keys: RecordBatch, nulls: NullKeys) -> QueryResult<RecordBatch> {
        let mut keys = keys;
        for (index, field) in self.schema.fields().iter().enumerate() {
            let column = keys.column(index);
            if column.null_count() == 0 {
                continue;
            }
            if nulls == NullKeys::Refuse {
                return Err(external(LakeError::NullKey {
                    table: self.table.to_string(),
                    column: field.name().clone(),
                }));
            }
            let has_value = is_not_null(column)?;
            keys = filter_record_batch(&keys, &has_value)?;
        }
        Ok(keys)
    }
}

/// The keys of a result, in the types that the table stores.
#[derive(Debug)]
pub(super) struct Keys {
    of_rows: Vec<RecordBatch>,
    /// The keys of rows that only delete others.
    of_deleted: Vec<RecordBatch>,
    memory: MemoryReservation,
}

impl Keys {
    /// An empty set.
    pub fn new(table: &TableName, pool: &Arc<dyn MemoryPool>) -> Self {
        Self {
            of_rows: vec![],
            of_deleted: vec![],
            memory: MemoryConsumer::new(format!("keys of {table}")).register(pool),
        }
    }

    /// Keeps keys, within the limits of the pool.
    pub fn keep(&mut self, keys: &RecordBatch, deletes: bool) -> QueryResult<()> {
        // Copied, because views and slices of a large batch would keep all of it in memory.
        let keys = copied(keys)?;
        self.memory.try_grow(keys.get_array_memory_size())?;
        match deletes {
            true => self.of_deleted.push(keys),
            false => self.of_rows.push(keys),
        }
        Ok(())
    }

    /// Forgets the keys of rows that are written.
    pub fn forget_rows(&mut self) {
        self.of_rows.clear();
        let left = self.of_deleted.iter().map(RecordBatch::get_array_memory_size).sum();
        self.memory.resize(left);
    }

    /// Takes all of them.
    pub fn take(&mut self) -> Vec<RecordBatch> {
        let mut all = std::mem::take(&mut self.of_rows);
        all.append(&mut self.of_deleted);
        all
    }
}

/// How many NULLs each column of a file has, if its statistics say so.
pub(super) fn nulls_of(file: &Add) -> HashMap<String, i64> {
    #[derive(Deserialize)]
    struct Nulls {
        #[serde(rename = "nullCount")]
        nulls: HashMap<String, serde_json::Value>,
    }
    let stats: Option<Nulls> = file.stats.as_deref().and_then(|stats| serde_json::from_str(stats).ok());
    let nulls = stats.map(|stats| stats.nulls).unwrap_or_default();
    let nulls = nulls
        .into_iter()
        .filter_map(|(column, nulls)| Some((column, nulls.as_i64()?)));
    nulls.collect()
}

fn copied(batch: &RecordBatch) -> QueryResult<RecordBatch> {
    let rows = UInt64Array::from_iter_values(0..batch.num_rows() as u64);
    Ok(take_record_batch(batch, &rows)?)
}

fn external(error: LakeError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
