//! The plan leaf that waits for a join's keys and then opens only the files of a table that may hold one of them; it
//! builds the filters of files that have none yet.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, Statistics, exec_err};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, Count, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet, RecordOutput,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::future::ready;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;

use super::filters::{KeysOfFile, hashes};
use super::set::Keys;
use super::times::{Span, spans};
use super::{KeyFilters, KeySet};
use crate::lake::LakeTable;
use crate::lake::file_reads::FileReads;

/// Reads the files of a table one after another. If a join supplies keys, files that can hold none of them are not
/// opened.
#[derive(Debug, Clone)]
pub struct KeyScanExec {
    table: LakeTable,
    filters: Arc<KeyFilters>,
    reads: Arc<FileReads>,
    /// The files of each partition.
    files: Vec<Arc<[PartitionedFile]>>,
    rows: Option<usize>,
    lookup: Option<Lookup>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

/// What to look for.
#[derive(Debug, Clone)]
struct Lookup {
    /// Index of the column in the output.
    index: usize,
    column: Arc<str>,
    keys: Arc<KeySet>,
    /// The spans of an additional date or time column.
    spans: Arc<HashMap<Path, Span>>,
}

impl KeyScanExec {
    pub fn new(
        table: LakeTable,
        filters: Arc<KeyFilters>,
        reads: FileReads,
        files: &[PartitionedFile],
        rows: Option<usize>,
        partitions: usize,
    ) -> Result<Self> {
        let partitions = partitions.clamp(1, files.len().max(1));
        // Largest first, so that all partitions have about the same amount to read.
        let mut by_size: Vec<&PartitionedFile> = files.iter().collect();
        by_size.sort_by_key(|file| std::cmp::Reverse(file.object_meta.size));
        let of = |partition: usize| {
            by_size
                .iter()
                .skip(partition)
                .step_by(partitions)
                .map(|file| (*file).clone())
        };
        let properties = PlanProperties::new(
            EquivalenceProperties::new(reads.schema()?),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(Self {
            table,
            filters,
            reads: Arc::new(reads),
            files: (0..partitions).map(|partition| of(partition).collect()).collect(),
            rows,
            lookup: None,
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }

    /// The same scan, waiting for these keys of its output column `index` and for their times in the column `time`;
    /// `None` if it already waits for other keys.
    pub fn with_keys(&self, index: usize, time: Option<usize>, keys: &Arc<KeySet>) -> Option<Self> {
        if self.lookup.is_some() {
            return None;
        }
        let schema = self.schema();
        let column = schema.field(index).name().as_str().into();
        let spans = time.map(|time| spans(&self.table, schema.field(time).name()));
        Some(Self {
            lookup: Some(Lookup {
                index,
                column,
                keys: keys.clone(),
                spans: Arc::new(spans.unwrap_or_default()),
            }),
            ..self.clone()
        })
    }
}

impl DisplayAs for KeyScanExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files: usize = self.files.iter().map(|files| files.len()).sum();
        write!(f, "KeyScanExec: files={files}")?;
        match &self.lookup {
            Some(lookup) => write!(f, ", key={}", lookup.column),
            None => Ok(()),
        }
    }
}

impl ExecutionPlan for KeyScanExec {
    fn name(&self) -> &str {
        "KeyScanExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn partition_statistics(&self, partition: Option<usize>) -> Result<Arc<Statistics>> {
        let rows = match (partition, self.rows) {
            (None, Some(rows)) => Precision::Exact(rows),
            (Some(_), Some(rows)) => Precision::Inexact(rows / self.files.len().max(1)),
            (_, None) => Precision::Absent,
        };
        Ok(Arc::new(Statistics::new_unknown(&self.schema()).with_num_rows(rows)))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let Some(files) = self.files.get(partition) else {
            return exec_err!("KeyScanExec has {} partitions, not {partition}", self.files.len());
        };
        let read = Arc::new(Read {
            reads: self.reads.clone(),
            filters: self.filters.clone(),
            lookup: self.lookup.clone(),
            context,
            skipped: MetricBuilder::new(&self.metrics).counter("files_skipped", partition),
        });
        let files = files.clone();
        let batches = futures::stream::once(async move { read.files(&files).await })
            .try_flatten()
            .map({
                let metrics = BaselineMetrics::new(&self.metrics, partition);
                move |batch| batch.map(|batch: RecordBatch| batch.record_output(&metrics))
            });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }
}

/// One partition being read.
struct Read {
    reads: Arc<FileReads>,
    filters: Arc<KeyFilters>,
    lookup: Option<Lookup>,
    context: Arc<TaskContext>,
    skipped: Count,
}

impl Read {
    /// The rows of the files that may hold a key.
    async fn files(
        self: Arc<Self>,
        files: &[PartitionedFile],
    ) -> Result<impl futures::Stream<Item = Result<RecordBatch>> + use<>> {
        let keys = match &self.lookup {
            Some(lookup) => lookup.keys.all().await,
            None => None,
        };
        let mut to_read = vec![];
        let predicate = self.reads.predicate();
        for file in files {
            let of = self.lookup.as_ref().map(|lookup| KeysOfFile {
                file: file.object_meta.location.clone(),
                column: lookup.column.clone(),
                predicate: predicate.clone(),
            });
            let known = of.as_ref().and_then(|of| self.may_hold(of, keys.as_deref()?));
            match known {
                Some(false) => self.skipped.add(1),
                Some(true) => to_read.push((file.clone(), None)),
                None => to_read.push((file.clone(), of)),
            }
        }
        let column = self.lookup.as_ref().map(|lookup| lookup.index);
        let opened = to_read.into_iter().map(move |(file, learn)| self.file(file, learn));
        let rows = futures::stream::iter(opened).try_flatten();
        Ok(rows.and_then(move |batch| {
            ready(match (&keys, column) {
                (Some(keys), Some(column)) => keys.rows(batch, column),
                _ => Ok(batch),
            })
        }))
    }

    /// Whether a file may hold a wanted row; `None` if there is no filter for it yet.
    fn may_hold(&self, of: &KeysOfFile, keys: &Keys) -> Option<bool> {
        let of_its_time = self.lookup.as_ref()?.spans.get(&of.file).is_none_or(|(first, last)| {
            let at = keys.times.partition_point(|time| time < first);
            keys.times.get(at).is_some_and(|time| time <= last)
        });
        match of_its_time {
            true => self.filters.may_hold(of, &keys.hashes),
            false => Some(false),
        }
    }

    /// The rows of one file; builds the filter of its keys if there is none yet.
    fn file(&self, file: PartitionedFile, learn: Option<KeysOfFile>) -> Result<SendableRecordBatchStream> {
        let rows = self
            .reads
            .plan(vec![vec![file]], None)?
            .execute(0, self.context.clone())?;
        Ok(match (&self.lookup, learn) {
            (Some(lookup), Some(of)) => learning(rows, self.filters.clone(), of, lookup.index),
            _ => rows,
        })
    }
}

/// Passes on the rows of a whole file, and builds its filter at the end.
fn learning(
    rows: SendableRecordBatchStream,
    filters: Arc<KeyFilters>,
    of: KeysOfFile,
    column: usize,
) -> SendableRecordBatchStream {
    let schema = rows.schema();
    let learned = futures::stream::unfold(Some((rows, vec![])), move |state| {
        let (filters, of) = (filters.clone(), of.clone());
        async move {
            let (mut rows, mut noted) = state?;
            let Some(batch) = rows.next().await else {
                // Building a filter of millions of keys would block the tasks that wait for rows.
                tokio::task::spawn_blocking(move || filters.learn(of, noted));
                return None;
            };
            let batch = batch.and_then(|batch| hashes(batch.column(column), &mut noted).map(|()| batch));
            let state = batch.is_ok().then_some((rows, noted));
            Some((batch, state))
        }
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, learned))
}
