//! Takes the rows that an expectation with `severity: quarantine` rejects out of what a step has written.
//! `step/expectations.rs` calls it: its query returned these rows, [`Unwanted`] finds them among the step's own and
//! passes on all others. NULL equals NULL here, and NaN equals NaN; of equal rows, all are taken out.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{filter_record_batch, not};
use arrow::datatypes::{DataType, Float32Type, Float64Type, SchemaRef};
use arrow::row::{RowConverter, Rows, SortField};
use datafusion::common::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;

use crate::lake::write::conform;

/// Takes the rows out of streams that equal one of a set in some columns. NULL equals NULL, and NaN equals NaN.
///
/// Not a join: rows are compared by their bytes, whatever the types of their columns are, and each row of the streams
/// is either passed on or found, once, however often the query returned it.
#[derive(Debug)]
pub(super) struct Unwanted {
    schema: SchemaRef,
    columns: Vec<usize>,
    converter: RowConverter,
    /// The set, and whether a row was found.
    rows: HashMap<Box<[u8]>, AtomicBool>,
    found: Mutex<RejectedRows>,
    memory: MemoryReservation,
}

/// Rows that were taken out, and the memory that they have.
#[derive(Debug)]
pub(super) struct RejectedRows {
    /// The rows.
    pub batches: Vec<RecordBatch>,
    memory: MemoryReservation,
}

impl RejectedRows {
    fn none(pool: &Arc<dyn MemoryPool>) -> Self {
        Self {
            batches: vec![],
            memory: MemoryConsumer::new("rejected rows").register(pool),
        }
    }

    fn add(&mut self, batch: RecordBatch) -> Result<()> {
        self.memory.try_grow(batch.get_array_memory_size())?;
        self.batches.push(batch);
        Ok(())
    }

    /// How many.
    pub fn rows(&self) -> u64 {
        self.batches.iter().map(|batch| batch.num_rows() as u64).sum()
    }
}

/// The columns of a table that a query returns, in the table's order.
pub(super) fn returned(table: &SchemaRef, query: &SchemaRef) -> Vec<usize> {
    let is_there = |index: &usize| query.column_with_name(table.field(*index).name()).is_some();
    (0..table.fields().len()).filter(is_there).collect()
}

impl Unwanted {
    /// The rows that a query returned, told by the columns of the table (`schema`) that are among its own.
    ///
    /// # Errors
    /// When a value does not fit its column, or the set takes too much memory.
    pub fn of(
        batches: &[RecordBatch],
        query: &SchemaRef,
        schema: &SchemaRef,
        pool: &Arc<dyn MemoryPool>,
    ) -> Result<Self> {
        let columns = returned(schema, query);
        let told_by = Arc::new(schema.project(&columns)?);
        let fields = told_by.fields().iter();
        let fields = fields.map(|field| SortField::new(field.data_type().clone()));
        let mut unwanted = Self {
            converter: RowConverter::new(fields.collect())?,
            schema: schema.clone(),
            columns,
            rows: HashMap::new(),
            found: Mutex::new(RejectedRows::none(pool)),
            memory: MemoryConsumer::new("rows to reject").register(pool),
        };
        for batch in batches {
            let rows = unwanted.rows(conform(batch, &told_by)?.columns())?;
            unwanted.memory.try_grow(rows.size())?;
            let rows = rows.iter().map(|row| (row.data().into(), AtomicBool::new(false)));
            unwanted.rows.extend(rows);
        }
        Ok(unwanted)
    }

    fn rows(&self, columns: &[ArrayRef]) -> Result<Rows> {
        let columns: Vec<ArrayRef> = columns.iter().map(comparable).collect();
        Ok(self.converter.convert_columns(&columns)?)
    }

    /// The rows of a stream that are not in the set.
    pub fn pass(self: &Arc<Self>, stream: SendableRecordBatchStream) -> SendableRecordBatchStream {
        let unwanted = self.clone();
        let rows = stream.map(move |batch| unwanted.wanted(&batch?));
        Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), rows))
    }

    fn wanted(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let batch = conform(batch, &self.schema)?;
        let rows = self.rows(batch.project(&self.columns)?.columns())?;
        let is_unwanted = |row: arrow::row::Row<'_>| {
            let known = self.rows.get(row.data());
            known.inspect(|found| found.store(true, Ordering::Relaxed)).is_some()
        };
        let unwanted: BooleanArray = rows.iter().map(|row| Some(is_unwanted(row))).collect();
        if unwanted.true_count() == 0 {
            return Ok(batch);
        }
        let found = filter_record_batch(&batch, &unwanted)?;
        self.found.lock().unwrap_or_else(PoisonError::into_inner).add(found)?;
        Ok(filter_record_batch(&batch, &not(&unwanted)?)?)
    }

    /// How many rows of the set were in none of the streams.
    pub fn missed(&self) -> usize {
        self.rows
            .values()
            .filter(|found| !found.load(Ordering::Relaxed))
            .count()
    }

    /// The rows of the streams that are in the set.
    pub fn found(&self, pool: &Arc<dyn MemoryPool>) -> RejectedRows {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *found, RejectedRows::none(pool))
    }
}

/// Queries may return another zero, or another NaN, than they read.
fn comparable(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Float32 => {
            let same = |value: f32| if value.is_nan() { f32::NAN } else { value + 0.0 };
            Arc::new(column.as_primitive::<Float32Type>().unary::<_, Float32Type>(same))
        }
        DataType::Float64 => {
            let same = |value: f64| if value.is_nan() { f64::NAN } else { value + 0.0 };
            Arc::new(column.as_primitive::<Float64Type>().unary::<_, Float64Type>(same))
        }
        _ => column.clone(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow::array::{Float64Array, Int64Array, ListArray, StructArray};
    use arrow::compute::concat_batches;
    use arrow::datatypes::{Field, Int64Type};
    use datafusion::execution::memory_pool::UnboundedMemoryPool;
    use datafusion::physical_plan::memory::MemoryStream;
    use futures::TryStreamExt;

    use super::*;

    /// Rows of a number, a list and a struct, each of which is told apart by one column alone.
    fn batch() -> RecordBatch {
        let lists = [
            Some(vec![Some(1), None]),
            Some(vec![Some(1), None]),
            Some(vec![Some(1)]),
            None,
        ];
        let lists = ListArray::from_iter_primitive::<Int64Type, _, _>(lists);
        let field = Arc::new(Field::new("b", DataType::Int64, true));
        let structs = StructArray::from(vec![(field, Arc::new(Int64Array::from(vec![7, 7, 7, 8])) as ArrayRef)]);
        let columns: [(&str, ArrayRef); 3] = [
            (
                "a",
                Arc::new(Float64Array::from(vec![Some(f64::NAN), None, Some(-0.0), Some(1.0)])),
            ),
            ("l", Arc::new(lists)),
            ("s", Arc::new(structs)),
        ];
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap()
    }

    async fn split(unwanted: &[RecordBatch], rows: &RecordBatch) -> (usize, usize, usize) {
        let (query, pool) = (unwanted[0].schema(), UnboundedMemoryPool::default());
        let pool: Arc<dyn MemoryPool> = Arc::new(pool);
        let unwanted = Arc::new(Unwanted::of(unwanted, &query, &rows.schema(), &pool).unwrap());
        let stream = MemoryStream::try_new(vec![rows.clone()], rows.schema(), None).unwrap();
        let left: Vec<RecordBatch> = unwanted.pass(Box::pin(stream)).try_collect().await.unwrap();
        let count = |batches: &[RecordBatch]| batches.iter().map(RecordBatch::num_rows).sum();
        (count(&left), count(&unwanted.found(&pool).batches), unwanted.missed())
    }

    #[tokio::test]
    async fn rows_of_any_type_are_told_apart_by_all_of_their_columns() {
        let rows = batch();
        for row in 0..rows.num_rows() {
            // However often it is returned.
            assert_eq!(
                split(&[rows.slice(row, 1), rows.slice(row, 1)], &rows).await,
                (3, 1, 0),
                "{row}"
            );
        }
        let twice = concat_batches(&rows.schema(), [&rows, &rows]).unwrap();
        assert_eq!(split(&[rows.slice(1, 1)], &twice).await, (6, 2, 0));
    }

    #[tokio::test]
    async fn fewer_columns_mean_all_rows_that_are_equal_in_them() {
        let rows = batch();
        let by_struct = rows.project(&[2]).unwrap().slice(0, 1);
        assert_eq!(split(&[by_struct], &rows).await, (1, 3, 0));
        let other = RecordBatch::try_from_iter([("a", Arc::new(Float64Array::from(vec![5.0])) as ArrayRef)]).unwrap();
        assert_eq!(split(&[other], &rows).await, (4, 0, 1));
    }
}
