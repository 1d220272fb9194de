//! The plan leaf that reads new lines of files.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, exec_err};
use datafusion::datasource::TableType;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Expr;
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::TryStreamExt;
use object_store::ObjectStore;
use tokio::sync::mpsc::Sender;

use super::FilesConfig;
use super::codec::{Chunks, Codec, bytes_of};
use super::file_range::FileRange;
use crate::sources::formats::{Format, RecordHash, Rows};
use crate::sources::{RecordBatchBuilder, SourceError, record_schema};

/// Lines of files as a table, fixed when they were counted.
#[derive(Debug, Clone)]
pub struct LinesScan {
    /// The source's path, as written in the project.
    source: Arc<str>,
    format: &'static dyn Format,
    store: Arc<dyn ObjectStore>,
    ranges: Vec<FileRange>,
}

impl LinesScan {
    pub(super) fn new(config: &FilesConfig, store: Arc<dyn ObjectStore>, ranges: Vec<FileRange>) -> Self {
        Self {
            source: config.path.as_str().into(),
            format: config.format,
            store,
            ranges,
        }
    }

    /// Deals the files into groups of about equal size, largest file first.
    fn groups(&self, partitions: usize) -> Vec<Vec<FileRange>> {
        let mut ranges = self.ranges.clone();
        ranges.sort_by_key(|range| std::cmp::Reverse(range.bytes()));
        let mut groups: Vec<(u64, Vec<FileRange>)> = vec![(0, vec![]); partitions.clamp(1, ranges.len().max(1))];
        for range in ranges {
            if let Some(smallest) = groups.iter_mut().min_by_key(|(bytes, _)| *bytes) {
                smallest.0 += range.bytes();
                smallest.1.push(range);
            }
        }
        groups.into_iter().map(|(_, group)| group).collect()
    }
}

#[async_trait]
impl TableProvider for LinesScan {
    fn schema(&self) -> SchemaRef {
        record_schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let groups = self.groups(state.config().target_partitions());
        Ok(Arc::new(LinesExec::new(self, groups, projection.cloned(), limit)))
    }
}

/// The plan leaf: one plan partition per group of files.
#[derive(Debug)]
pub(super) struct LinesExec {
    pub source: Arc<str>,
    pub format: &'static dyn Format,
    store: Arc<dyn ObjectStore>,
    pub groups: Vec<Vec<FileRange>>,
    pub projection: Option<Vec<usize>>,
    pub limit: Option<usize>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl LinesExec {
    pub fn new(
        scan: &LinesScan,
        groups: Vec<Vec<FileRange>>,
        projection: Option<Vec<usize>>,
        limit: Option<usize>,
    ) -> Self {
        let schema = RecordBatchBuilder::new(projection.as_deref()).schema().clone();
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(groups.len()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let metrics = ExecutionPlanMetricsSet::new();
        Self {
            source: scan.source.clone(),
            format: scan.format,
            store: scan.store.clone(),
            groups,
            projection,
            limit,
            properties: Arc::new(properties),
            metrics,
        }
    }
}

impl DisplayAs for LinesExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = || self.groups.iter().flatten();
        let bytes: u64 = all().map(|range| range.bytes()).sum();
        write!(f, "LinesExec: files={}, bytes={bytes}", all().count())?;
        match self.limit {
            Some(limit) => write!(f, ", limit={limit}"),
            None => Ok(()),
        }
    }
}

impl ExecutionPlan for LinesExec {
    fn name(&self) -> &str {
        "LinesExec"
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

    fn execute(&self, partition: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let Some(group) = self.groups.get(partition).cloned() else {
            return exec_err!("LinesExec has {} partitions, not {partition}", self.groups.len());
        };
        let mut stream = RecordBatchReceiverStream::builder(self.schema(), 2);
        let mut reader = LinesReader {
            store: self.store.clone(),
            format: self.format,
            rows: Rows::new(self.projection.as_deref(), self.limit),
            metrics: BaselineMetrics::new(&self.metrics, partition),
            out: stream.tx(),
        };
        stream.spawn(async move {
            for range in &group {
                if !reader
                    .read(range)
                    .await
                    .map_err(|error| error.context(format!("reading {}", range.name)))?
                {
                    break;
                }
            }
            reader.send().await?;
            Ok(())
        });
        Ok(stream.build())
    }
}

struct LinesReader {
    store: Arc<dyn ObjectStore>,
    format: &'static dyn Format,
    rows: Rows,
    metrics: BaselineMetrics,
    out: Sender<Result<RecordBatch>>,
}

impl LinesReader {
    /// Reads the lines of a file into batches; returns `false` once no more are wanted.
    async fn read(&mut self, range: &FileRange) -> Result<bool> {
        let mut chunks = text(&*self.store, range).await?;
        let (mut splitter, mut hash) = (self.format.splitter(), RecordHash::default());
        self.rows.begin(&range.name, range.first_line, range.found_us);
        let mut at = match range.codec {
            Codec::Plain => range.text.start,
            _ => 0,
        };
        while at < range.text.end && self.rows.are_wanted() {
            let Some(chunk) = chunks.try_next().await? else { break };
            let before = at;
            at += chunk.len() as u64;
            let within = |place: u64| (place.clamp(before, at) - before) as usize;
            let chunk = &chunk[within(range.text.start)..within(range.text.end)];
            hash.update(chunk);
            splitter.feed(chunk, &mut self.rows)?;
            if self.rows.is_full() && !self.send().await? {
                return Ok(false);
            }
        }
        if self.rows.are_wanted() {
            splitter.end(&mut self.rows)?;
        }
        if self.rows.are_wanted() && hash.value() != range.hash {
            return Err(changed(range));
        }
        Ok(self.rows.are_wanted())
    }

    /// Returns `false` once the receiver is gone.
    async fn send(&mut self) -> Result<bool> {
        if self.rows.is_empty() {
            return Ok(true);
        }
        let batch = self.rows.finish()?;
        self.metrics.record_output(batch.num_rows());
        Ok(self.out.send(Ok(batch)).await.is_ok())
    }
}

/// The text that contains the lines; for a plain file, exactly these lines.
async fn text(store: &dyn ObjectStore, range: &FileRange) -> Result<Chunks> {
    let opened = match range.codec {
        Codec::Plain => bytes_of(store, &range.path, range.text.clone()).await,
        _ => bytes_of(store, &range.path, 0..range.size).await,
    };
    match opened {
        // The file was rotated at just this moment.
        Err(DataFusionError::ObjectStore(error)) if matches!(*error, object_store::Error::NotFound { .. }) => {
            Err(changed(range))
        }
        opened => Ok(range.codec.text(opened?)),
    }
}

fn changed(range: &FileRange) -> DataFusionError {
    DataFusionError::External(Box::new(SourceError::Unreachable {
        what: range.name.clone(),
        reason: "it was replaced or renamed while it was being read".to_owned(),
        help: "none of its new lines were committed; run again".to_owned(),
    }))
}
