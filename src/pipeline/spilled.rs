//! The rows of an input in a temporary file, in a fixed order, so that a step can run on parts of them.

use std::fmt;
use std::fs::File;
use std::io::BufReader;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::ipc::reader::FileReader;
use arrow::ipc::writer::FileWriter;
use datafusion::catalog::TableProvider;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err};
use datafusion::execution::{SendableRecordBatchStream, SpillFile, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;

/// Rows of an input, numbered from 0. The file is where queries spill, and is deleted with this value.
pub(super) struct Spilled {
    _file: Arc<dyn SpillFile>,
    path: PathBuf,
    schema: SchemaRef,
    /// For each batch in the file, the number of the first row after it.
    ends: Vec<u64>,
}

impl fmt::Debug for Spilled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Spilled({} rows in {})", self.rows(), self.path.display())
    }
}

impl Spilled {
    /// Reads all of a table into a file.
    ///
    /// # Errors
    /// When the table cannot be read, or the file cannot be written.
    pub async fn new(session: &SessionContext, table: Arc<dyn TableProvider>) -> Result<Self> {
        let file = session.runtime_env().disk_manager.create_tmp_file("rows of an input")?;
        let path = file
            .path()
            .ok_or_else(|| exec_datafusion_err!("there is no local folder to spill rows to"))?;
        let mut batches = session.read_table(table)?.execute_stream().await?;
        let schema = batches.schema();
        let mut writer = FileWriter::try_new_buffered(File::create(path)?, &schema)?;
        let mut ends = vec![];
        while let Some(batch) = batches.try_next().await? {
            if batch.num_rows() > 0 {
                writer.write(&batch)?;
                ends.push(ends.last().copied().unwrap_or_default() + batch.num_rows() as u64);
            }
        }
        writer.finish()?;
        let path = path.to_owned();
        Ok(Self {
            _file: file,
            path,
            schema,
            ends,
        })
    }

    fn incomplete(&self) -> DataFusionError {
        exec_datafusion_err!("the spilled rows in {} are incomplete; run again", self.path.display())
    }

    /// How many rows there are.
    pub fn rows(&self) -> u64 {
        self.ends.last().copied().unwrap_or_default()
    }

    /// The rows in these ranges, which ascend, as a table.
    ///
    /// # Errors
    /// When the rows have another schema than their table, which would be a bug.
    pub fn table(self: &Arc<Self>, ranges: &[Range<u64>], partitions: usize) -> Result<Arc<dyn TableProvider>> {
        let parts = split(ranges, partitions.max(1)).into_iter().map(|ranges| {
            let spilled = self.clone();
            Arc::new(Part { spilled, ranges }) as Arc<dyn PartitionStream>
        });
        Ok(Arc::new(StreamingTable::try_new(self.schema.clone(), parts.collect())?))
    }

    /// One row.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn row(self: &Arc<Self>, row: u64) -> Result<RecordBatch> {
        let only = std::iter::once(row..row + 1);
        let mut rows = Rows::new(self.clone(), only.collect());
        rows.next()
            .unwrap_or_else(|| Ok(RecordBatch::new_empty(self.schema.clone())))
    }
}

/// Ranges in groups of about equally many rows.
fn split(ranges: &[Range<u64>], groups: usize) -> Vec<Vec<Range<u64>>> {
    let rows: u64 = ranges.iter().map(|range| range.end - range.start).sum();
    let most = rows.div_ceil(groups as u64).max(1);
    let (mut all, mut group, mut room) = (vec![], vec![], most);
    for range in ranges {
        let mut start = range.start;
        while start < range.end {
            let end = range.end.min(start + room);
            group.push(start..end);
            room -= end - start;
            start = end;
            if room == 0 {
                all.push(std::mem::take(&mut group));
                room = most;
            }
        }
    }
    if !group.is_empty() || all.is_empty() {
        all.push(group);
    }
    all
}

/// Some of the rows, for one thread.
#[derive(Debug)]
struct Part {
    spilled: Arc<Spilled>,
    ranges: Vec<Range<u64>>,
}

impl PartitionStream for Part {
    fn schema(&self) -> &SchemaRef {
        &self.spilled.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = Rows::new(self.spilled.clone(), self.ranges.clone());
        let schema = self.spilled.schema.clone();
        Box::pin(RecordBatchStreamAdapter::new(schema, futures::stream::iter(rows)))
    }
}

/// Reads the rows of ascending ranges, batch after batch.
struct Rows {
    spilled: Arc<Spilled>,
    ranges: std::vec::IntoIter<Range<u64>>,
    range: Range<u64>,
    reader: Option<FileReader<BufReader<File>>>,
    /// The batch that was read last, and the number of its first row.
    batch: Option<(usize, u64, RecordBatch)>,
}

impl Rows {
    fn new(spilled: Arc<Spilled>, ranges: Vec<Range<u64>>) -> Self {
        Self {
            spilled,
            ranges: ranges.into_iter(),
            range: 0..0,
            reader: None,
            batch: None,
        }
    }

    /// The rows of the range that are in one batch.
    fn read(&mut self) -> Result<RecordBatch> {
        let ends = &self.spilled.ends;
        let index = ends.partition_point(|end| *end <= self.range.start);
        let first = index.checked_sub(1).map_or(0, |before| ends[before]);
        if self.batch.as_ref().is_none_or(|(read, ..)| *read != index) {
            let reader = match &mut self.reader {
                Some(reader) => reader,
                None => self
                    .reader
                    .insert(FileReader::try_new_buffered(File::open(&self.spilled.path)?, None)?),
            };
            reader.set_index(index)?;
            let batch = reader.next().ok_or_else(|| self.spilled.incomplete())??;
            self.batch = Some((index, first, batch));
        }
        let Some((_, first, batch)) = &self.batch else {
            return Err(self.spilled.incomplete());
        };
        let offset = usize::try_from(self.range.start - first).unwrap_or(usize::MAX);
        let wanted = usize::try_from(self.range.end - self.range.start).unwrap_or(usize::MAX);
        let length = wanted.min(batch.num_rows().saturating_sub(offset));
        self.range.start += length as u64;
        Ok(batch.slice(offset, length))
    }
}

impl Iterator for Rows {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Result<RecordBatch>> {
        while self.range.is_empty() {
            self.range = self.ranges.next()?;
        }
        let batch = self.read();
        if batch.is_err() {
            // Nothing comes after an error.
            (self.range, self.ranges) = (0..0, vec![].into_iter());
        }
        Some(batch)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::single_range_in_vec_init)]

    use arrow::array::{AsArray, Int64Array};
    use arrow::datatypes::Int64Type;
    use datafusion::datasource::MemTable;

    use super::*;

    fn batch(numbers: Range<i64>) -> RecordBatch {
        let column = Arc::new(Int64Array::from_iter_values(numbers)) as _;
        RecordBatch::try_from_iter([("n", column)]).unwrap()
    }

    async fn numbers(table: Arc<dyn TableProvider>) -> Vec<i64> {
        #[allow(clippy::disallowed_methods, reason = "a session without the engine")]
        let session = SessionContext::new();
        let batches = session.read_table(table).unwrap().collect().await.unwrap();
        let column = |batch: &RecordBatch| batch.column(0).as_primitive::<Int64Type>().values().to_vec();
        let mut all: Vec<i64> = batches.iter().flat_map(column).collect();
        all.sort_unstable();
        all
    }

    #[tokio::test]
    async fn ranges_give_their_rows_whatever_the_batches_and_partitions() {
        #[allow(clippy::disallowed_methods, reason = "a session without the engine")]
        let session = SessionContext::new();
        let batches = vec![vec![batch(0..5), batch(5..5), batch(5..6), batch(6..20)]];
        let table = MemTable::try_new(batch(0..0).schema(), batches).unwrap();
        let spilled = Arc::new(Spilled::new(&session, Arc::new(table)).await.unwrap());
        assert_eq!(spilled.rows(), 20);
        assert_eq!(
            spilled.row(5).unwrap().column(0).as_primitive::<Int64Type>().value(0),
            5
        );
        for partitions in [1, 3, 50] {
            for ranges in [vec![0..20], vec![0..1, 4..7, 19..20], vec![], vec![3..3, 5..6]] {
                let expected: Vec<i64> = ranges
                    .iter()
                    .flat_map(|range| range.start as i64..range.end as i64)
                    .collect();
                let table = spilled.table(&ranges, partitions).unwrap();
                assert_eq!(numbers(table).await, expected, "{ranges:?} in {partitions}");
            }
        }
    }

    #[test]
    fn ranges_are_split_into_groups_of_about_equal_size() {
        assert_eq!(split(&[0..10], 3), [vec![0..4], vec![4..8], vec![8..10]]);
        assert_eq!(split(&[0..1, 5..8], 2), [vec![0..1, 5..6], vec![6..8]]);
        assert_eq!(split(&[], 2), [vec![]]);
    }
}
