//! The keys of a merge's result: told from its rows, and kept until the old rows of these keys are looked for.

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

/// Tells the keys of a merge's result from its rows.
#[derive(Debug)]
pub(super) struct Keyed {
    table: TableName,
    key: Vec<usize>,
    deleted: Option<usize>,
    nulls: NullKeys,
    /// The columns of the key, in the types that the table stores.
    pub schema: SchemaRef,
}

/// What becomes of a row whose key is NULL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NullKeys {
    /// It would never be replaced: an error.
    Refuse,
    /// It is written, as something else may put it aside before the commit. It replaces nothing.
    Write,
}

/// A batch of a merge's result.
pub(super) struct Split {
    /// The keys of the rows that are written.
    pub keys: RecordBatch,
    /// The keys of those that only take others away.
    pub deleted: Option<RecordBatch>,
    /// What is written.
    pub rows: RecordBatch,
}

impl Keyed {
    /// For a result of this schema.
    ///
    /// # Errors
    /// When it has no such columns.
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

    /// The keys of a batch, and the rows of it that are to be written.
    ///
    /// # Errors
    /// When a key is NULL that may not be.
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
    /// Of the rows that only take others away.
    of_deleted: Vec<RecordBatch>,
    memory: MemoryReservation,
}

impl Keys {
    /// None yet.
    pub fn new(table: &TableName, pool: &Arc<dyn MemoryPool>) -> Self {
        Self {
            of_rows: vec![],
            of_deleted: vec![],
            memory: MemoryConsumer::new(format!("keys of {table}")).register(pool),
        }
    }

    /// Keeps keys, within the limits of the pool.
    pub fn keep(&mut self, keys: &RecordBatch, deletes: bool) -> QueryResult<()> {
        // Copied: views, and slices of one large batch, would hold on to all of it.
        let keys = copied(keys)?;
        self.memory.try_grow(keys.get_array_memory_size())?;
        match deletes {
            true => self.of_deleted.push(keys),
            false => self.of_rows.push(keys),
        }
        Ok(())
    }

    /// Forgets those of rows that are written.
    pub fn forget_rows(&mut self) {
        self.of_rows.clear();
        let left = self.of_deleted.iter().map(RecordBatch::get_array_memory_size).sum();
        self.memory.resize(left);
    }

    /// All of them.
    pub fn take(&mut self) -> Vec<RecordBatch> {
        let mut all = std::mem::take(&mut self.of_rows);
        all.append(&mut self.of_deleted);
        all
    }
}

/// How many NULLs each column of a file has, where its statistics say.
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
