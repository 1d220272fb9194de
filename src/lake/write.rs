//! Writes rows to data files that no reader sees until a [`Commit`](super::Commit) names them: Parquet with zstd (level
//! 1), closed at about 128 MiB, with statistics of the first 32 columns. Columns that a batch lacks are NULL; a value
//! that does not fit its column is an error (`conform`).

use std::num::NonZeroU64;
use std::sync::Arc;

use arrow::array::{RecordBatch, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::SchemaRef;
use datafusion::common::Result as QueryResult;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::file::properties::WriterProperties;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use deltalake::kernel::Add;
use deltalake::operations::write::writer::{DeltaWriter, WriterConfig};
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use tokio::task::JoinSet;

use super::{LakeError, LakeTable};
use crate::config::TableName;

/// Files are closed at about this size.
pub const TARGET_FILE_BYTES: NonZeroU64 = NonZeroU64::new(128 << 20).unwrap();

/// Row groups are the unit of parallel reads.
const ROW_GROUP_ROWS: usize = 128 << 10;

/// How a table is laid out on disk.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Its columns, with types that [`super::schema::storable`] allows.
    pub schema: SchemaRef,
    /// The columns it is partitioned by.
    pub partition_by: Vec<String>,
}

/// Files that were written but are not part of the table yet.
#[derive(Debug, Default)]
pub struct Written {
    /// As the log will list them.
    pub files: Vec<Add>,
    /// The number of rows in them.
    pub rows: u64,
}

/// Runs a plan and writes its rows, with one writer per plan partition.
///
/// # Errors
/// When the query fails or the store refuses a write; files already written stay invisible, and vacuum deletes them.
pub async fn write(
    table: &LakeTable,
    plan: &Arc<dyn ExecutionPlan>,
    task: &Arc<TaskContext>,
    layout: &Layout,
) -> Result<Written, LakeError> {
    let partitions = plan.output_partitioning().partition_count();
    let streams = (0..partitions).map(|partition| plan.execute(partition, task.clone()));
    write_streams(table, streams.collect::<QueryResult<_>>()?, layout).await
}

/// Writes streams of rows concurrently.
///
/// # Errors
/// As [`write`].
pub async fn write_streams(
    table: &LakeTable,
    streams: Vec<SendableRecordBatchStream>,
    layout: &Layout,
) -> Result<Written, LakeError> {
    write_files(table, streams, layout, TARGET_FILE_BYTES).await
}

/// Writes streams of rows into files of about `file_bytes`.
///
/// # Errors
/// As [`write`].
pub async fn write_files(
    table: &LakeTable,
    streams: Vec<SendableRecordBatchStream>,
    layout: &Layout,
    file_bytes: NonZeroU64,
) -> Result<Written, LakeError> {
    let mut writers = JoinSet::new();
    for stream in streams {
        writers.spawn(write_stream(Writer::new(table, layout, file_bytes)?, stream));
    }
    let mut all = Written::default();
    while let Some(written) = writers.join_next().await {
        let written = written.map_err(|panic| datafusion::error::DataFusionError::ExecutionJoin(Box::new(panic)))??;
        all.rows += written.rows;
        all.files.extend(written.files);
    }
    // Partitions finish in any order, but the log should be deterministic.
    all.files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(all)
}

fn writer_config(layout: &Layout, file_bytes: NonZeroU64) -> Result<WriterConfig, LakeError> {
    let level = ZstdLevel::try_new(1).map_err(datafusion::error::DataFusionError::from)?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .build();
    Ok(WriterConfig::new(
        layout.schema.clone(),
        layout.partition_by.clone(),
        Some(properties),
        Some(file_bytes),
        None,
        // Statistics of the first 32 columns, Delta's own default.
        Default::default(),
        None,
    ))
}

/// Deletes files that will not be committed. Whatever cannot be deleted is left to vacuum.
pub async fn discard(table: &LakeTable, files: &[Add]) {
    let store = table.delta().object_store();
    for file in files {
        let deleted = match Path::parse(&file.path) {
            Ok(path) => store.delete(&path).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = deleted {
            tracing::debug!(file = file.path, error, "left to vacuum");
        }
    }
}

async fn write_stream(mut writer: Writer, mut stream: SendableRecordBatchStream) -> Result<Written, LakeError> {
    while let Some(batch) = stream.try_next().await? {
        writer.write(&batch).await?;
    }
    writer.close().await
}

/// Writes batches to files of a table.
pub(super) struct Writer {
    table: TableName,
    schema: SchemaRef,
    delta: DeltaWriter,
    rows: u64,
}

impl Writer {
    /// Opens no file yet.
    ///
    /// # Errors
    /// When the compression is unknown.
    pub fn new(table: &LakeTable, layout: &Layout, file_bytes: NonZeroU64) -> Result<Self, LakeError> {
        Ok(Self {
            table: table.name().clone(),
            schema: layout.schema.clone(),
            delta: DeltaWriter::new(table.delta().object_store(), writer_config(layout, file_bytes)?),
            rows: 0,
        })
    }

    /// Adds rows.
    ///
    /// # Errors
    /// When a value does not fit its column, or the store refuses.
    pub async fn write(&mut self, batch: &RecordBatch) -> Result<(), LakeError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.rows += batch.num_rows() as u64;
        let batch = conform(batch, &self.schema)?;
        let written = self.delta.write(&batch).await;
        written.map_err(LakeError::delta("write to", &self.table))
    }

    /// Closes the files.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn close(self) -> Result<Written, LakeError> {
        let files = self.delta.close().await;
        Ok(Written {
            files: files.map_err(LakeError::delta("write to", &self.table))?,
            rows: self.rows,
        })
    }
}

/// Converts a batch to the stored columns, types and column order. Columns that older files lack become NULL; a value
/// that does not fit its type is an error.
///
/// # Errors
/// When a value does not fit its column's type.
pub fn conform(batch: &RecordBatch, schema: &SchemaRef) -> QueryResult<RecordBatch> {
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let columns = schema
        .fields()
        .iter()
        .map(|field| match batch.column_by_name(field.name()) {
            None => Ok(new_null_array(field.data_type(), batch.num_rows())),
            Some(column) if column.data_type() == field.data_type() => Ok(column.clone()),
            Some(column) => cast_with_options(column, field.data_type(), &options),
        });
    Ok(RecordBatch::try_new(
        schema.clone(),
        columns.collect::<Result<_, _>>()?,
    )?)
}
