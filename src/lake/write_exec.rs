//! A plan node that writes its rows to data files and returns their names: `write` for plans of other processes.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt64Type};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, exec_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{Distribution, EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, InputDistributionRequirements, PlanProperties,
};
use deltalake::kernel::Add;
use futures::{TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::merge_keys::{Keyed, NullKeys};
use super::write::{Layout, TARGET_FILE_BYTES, Writer, Written};
use super::{Lake, LakeError, LakeTable};
use crate::config::redact;

/// What to write, and where.
#[derive(Debug, Clone)]
pub struct WriteTo {
    /// The target table.
    pub table: LakeTable,
    /// Its layout on disk.
    pub layout: Layout,
    /// Set when writing the result of a merge.
    pub merge: Option<MergeKey>,
}

/// How to extract the keys of a merge's result from its rows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MergeKey {
    /// The key columns.
    pub columns: Vec<String>,
    /// The column that marks rows that only delete others.
    pub deleted: Option<String>,
    /// What happens to rows whose key is NULL.
    pub nulls: NullKeys,
}

/// The files that hold the keys of a merge's result.
#[derive(Debug, Clone, Default)]
pub struct KeyFiles {
    /// Keys of rows that were written.
    pub of_rows: Vec<Add>,
    /// Keys of rows that only delete others.
    pub of_deleted: Vec<Add>,
}

impl KeyFiles {
    /// All of them.
    pub fn all(&self) -> Vec<Add> {
        [self.of_rows.as_slice(), &self.of_deleted].concat()
    }
}

/// Writes each partition of its input to data files that no reader sees yet. Returns one row per file, from which
/// [`written`] builds what a commit needs. For plans that run in other processes: they send file names instead of rows.
/// For a merge, it also writes the keys of the result, to separate files that are never committed.
///
/// If a process fails, a partition may be written twice, in whole or in part. File names are never reused, and files
/// that are missing from the result are left to vacuum.
#[derive(Debug)]
pub struct WriteExec {
    input: Arc<dyn ExecutionPlan>,
    to: WriteTo,
    /// Whether the input came in one partition and must stay in one, because its rows fit into one file.
    is_whole: bool,
    properties: Arc<PlanProperties>,
}

/// The serialized node.
#[derive(Serialize, Deserialize)]
struct Wire {
    /// The URL of the lake.
    lake: String,
    table: String,
    /// An Arrow IPC stream without rows.
    schema: Vec<u8>,
    partition_by: Vec<String>,
    merge: Option<MergeKey>,
    is_whole: bool,
}

impl WriteExec {
    /// Writes the rows of `input`.
    pub fn new(input: Arc<dyn ExecutionPlan>, to: WriteTo) -> Self {
        let is_whole = input.output_partitioning().partition_count() == 1;
        Self::with(input, to, is_whole)
    }

    fn with(input: Arc<dyn ExecutionPlan>, to: WriteTo, is_whole: bool) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(files_schema()),
            Partitioning::UnknownPartitioning(input.output_partitioning().partition_count()),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Self {
            input,
            to,
            is_whole,
            properties: Arc::new(properties),
        }
    }

    /// Serializes the node without its input.
    ///
    /// # Errors
    /// When a column's type cannot be serialized.
    pub fn to_wire(&self) -> Result<Vec<u8>> {
        let wire = Wire {
            lake: self.to.table.lake_url().to_string(),
            table: self.to.table.name().to_string(),
            schema: clickrec_udfs::wire::schema_to_bytes(&self.to.layout.schema)?,
            partition_by: self.to.layout.partition_by.clone(),
            merge: self.to.merge.clone(),
            is_whole: self.is_whole,
        };
        serde_json::to_vec(&wire).map_err(|error| DataFusionError::External(Box::new(error)))
    }

    /// Deserializes a node from [`WriteExec::to_wire`], to write into this process's lake.
    ///
    /// # Errors
    /// When the node comes from another version, or no store can be created from the lake's settings.
    pub fn from_wire(bytes: &[u8], input: Arc<dyn ExecutionPlan>, lake: &Lake) -> Result<Self> {
        let unknown = |error: &dyn fmt::Display| {
            exec_datafusion_err!(
                "cannot decode a plan that writes; it may come from another version of clickrec: {error}"
            )
        };
        let wire: Wire = serde_json::from_slice(bytes).map_err(|error| unknown(&error))?;
        if wire.lake != lake.url().as_str() {
            return exec_err!(
                "the plan writes to the lake {}, but the lake of this process is {}\n  help: start this process with \
                 the same pipelines.yaml and target, in a folder with the same path",
                wire.lake,
                lake.url()
            );
        }
        let name = wire.table.parse().map_err(|error| unknown(&error))?;
        let to = WriteTo {
            table: lake.not_opened(&name).map_err(external)?,
            layout: Layout {
                schema: clickrec_udfs::wire::schema_from_bytes(&wire.schema)?,
                partition_by: wire.partition_by,
            },
            merge: wire.merge,
        };
        Ok(Self::with(input, to, wire.is_whole))
    }
}

/// For each file: whether it holds `rows`, their `keys`, or the keys of `deleted` rows; its log entry; and its number
/// of rows.
fn files_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("holds", DataType::Utf8, false),
        Field::new("file", DataType::Utf8, false),
        Field::new("rows", DataType::UInt64, false),
    ]))
}

const ROWS: &str = "rows";
const KEYS: &str = "keys";
const DELETED: &str = "deleted";

/// The files in a [`WriteExec`]'s result: those with rows, and those with the keys of a merge.
///
/// # Errors
/// When the batches are not such a result.
pub fn written(batches: &[RecordBatch]) -> Result<(Written, KeyFiles)> {
    let (mut rows, mut keys) = (Written::default(), KeyFiles::default());
    for batch in batches {
        let (holds, files) = (batch.column(0).as_string::<i32>(), batch.column(1).as_string::<i32>());
        let counts = batch.column(2).as_primitive::<UInt64Type>();
        for ((holds, file), count) in holds.iter().zip(files.iter()).zip(counts.iter()) {
            let file: Add = serde_json::from_str(file.unwrap_or_default())
                .map_err(|error| exec_datafusion_err!("cannot decode the list of written files: {error}"))?;
            match holds {
                Some(KEYS) => keys.of_rows.push(file),
                Some(DELETED) => keys.of_deleted.push(file),
                _ => {
                    rows.rows += count.unwrap_or_default();
                    rows.files.push(file);
                }
            }
        }
    }
    // Partitions finish in any order, but the log should be deterministic.
    rows.files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok((rows, keys))
}

/// Writes the keys of a merge alongside its rows.
struct KeyWriter {
    keyed: Keyed,
    of_rows: Writer,
    of_deleted: Writer,
}

impl KeyWriter {
    fn new(to: &WriteTo, merge: &MergeKey, schema: &Schema) -> Result<Self> {
        let keyed = Keyed::new(
            to.table.name(),
            &merge.columns,
            merge.deleted.as_deref(),
            merge.nulls,
            schema,
        )?;
        let layout = Layout {
            schema: keyed.schema.clone(),
            partition_by: vec![],
        };
        let writer = || Writer::new(&to.table, &layout, TARGET_FILE_BYTES).map_err(fault);
        Ok(Self {
            of_rows: writer()?,
            of_deleted: writer()?,
            keyed,
        })
    }

    /// The rows of a batch to write.
    async fn write(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let split = self.keyed.split(batch)?;
        self.of_rows.write(&split.keys).await.map_err(fault)?;
        if let Some(deleted) = &split.deleted {
            self.of_deleted.write(deleted).await.map_err(fault)?;
        }
        Ok(split.rows)
    }

    async fn close(self) -> Result<KeyFiles> {
        Ok(KeyFiles {
            of_rows: self.of_rows.close().await.map_err(fault)?.files,
            of_deleted: self.of_deleted.close().await.map_err(fault)?.files,
        })
    }
}

async fn write(to: WriteTo, mut input: SendableRecordBatchStream) -> Result<RecordBatch> {
    let keys = to
        .merge
        .as_ref()
        .map(|merge| KeyWriter::new(&to, merge, &input.schema()));
    let mut keys = keys.transpose()?;
    let mut writer = Writer::new(&to.table, &to.layout, TARGET_FILE_BYTES).map_err(fault)?;
    while let Some(mut batch) = input.try_next().await? {
        if let Some(keys) = &mut keys {
            batch = keys.write(&batch).await?;
        }
        writer.write(&batch).await.map_err(fault)?;
    }
    let rows = writer.close().await.map_err(fault)?;
    let keys = match keys {
        Some(keys) => keys.close().await?,
        None => KeyFiles::default(),
    };
    as_batch(&rows, &keys)
}

fn as_batch(rows: &Written, keys: &KeyFiles) -> Result<RecordBatch> {
    let files = || {
        let rows = rows.files.iter().map(|file| (ROWS, file));
        let keys = keys
            .of_rows
            .iter()
            .map(|file| (KEYS, file))
            .chain(keys.of_deleted.iter().map(|file| (DELETED, file)));
        rows.chain(keys)
    };
    let text = files()
        .map(|(_, file)| serde_json::to_string(file))
        .collect::<Result<Vec<_>, _>>();
    let text = text.map_err(|error| DataFusionError::External(Box::new(error)))?;
    // The first file carries the total row count.
    let counts = (0..text.len()).map(|place| if place == 0 { rows.rows } else { 0 });
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(files().map(|(holds, _)| holds))),
        Arc::new(StringArray::from(text)),
        Arc::new(UInt64Array::from_iter_values(counts)),
    ];
    Ok(RecordBatch::try_new(files_schema(), columns)?)
}

/// As text, without this process's credentials: a cluster transmits errors only as text.
fn external(error: LakeError) -> DataFusionError {
    DataFusionError::Execution(text(&error))
}

fn text(error: &LakeError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    redact(&text).into_owned()
}

/// Store errors are retried: a cluster retries work that failed with an I/O error, and nothing else.
fn fault(error: LakeError) -> DataFusionError {
    match error {
        LakeError::Query(error) => error,
        LakeError::Delta { .. } => DataFusionError::IoError(std::io::Error::other(text(&error))),
        other => external(other),
    }
}

impl DisplayAs for WriteExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WriteExec: {}", self.to.table.name())
    }
}

impl ExecutionPlan for WriteExec {
    fn name(&self) -> &str {
        "WriteExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![match self.is_whole {
            true => Distribution::SinglePartition,
            false => Distribution::UnspecifiedDistribution,
        }])
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, mut inputs: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self::with(
            inputs.swap_remove(0),
            self.to.clone(),
            self.is_whole,
        )))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, context)?;
        let files = stream::once(write(self.to.clone(), input));
        Ok(Box::pin(RecordBatchStreamAdapter::new(files_schema(), files)))
    }
}
