//! The plan leaf that reads new records of files.

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
use super::codec::{Chunks, Codec, bytes_of, store_error};
use super::decoding::Decoding;
use super::file_range::FileRange;
use crate::sources::formats::{
    Format, FormatOptions, Layout, RecordHash, Rows, TableFile, TableFormat, TextFormat, add_rows,
};
use crate::sources::{RecordBatchBuilder, SourceError, Unproven, record_schema};

/// Records of files as a table, fixed when they were counted.
#[derive(Debug, Clone)]
pub struct FilesScan {
    /// The source's path, as written in the project.
    source: Arc<str>,
    format: Arc<dyn Format>,
    options: FormatOptions,
    store: Arc<dyn ObjectStore>,
    ranges: Vec<FileRange>,
    unproven: Unproven,
}

impl FilesScan {
    pub(super) fn new(config: &FilesConfig, store: Arc<dyn ObjectStore>, ranges: Vec<FileRange>) -> Self {
        Self {
            source: config.path.as_str().into(),
            format: config.format.clone(),
            options: config.options.clone(),
            store,
            ranges,
            unproven: Unproven::default(),
        }
    }

    /// Says which of these files it has read to their end.
    pub(super) fn proving(mut self, unproven: &Unproven) -> Self {
        self.unproven = unproven.clone();
        self
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
impl TableProvider for FilesScan {
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
        Ok(Arc::new(FilesExec::new(self, groups, projection.cloned(), limit)))
    }
}

/// The plan leaf: one plan partition per group of files.
#[derive(Debug)]
pub(super) struct FilesExec {
    pub source: Arc<str>,
    pub format: Arc<dyn Format>,
    pub options: FormatOptions,
    store: Arc<dyn ObjectStore>,
    pub groups: Vec<Vec<FileRange>>,
    pub projection: Option<Vec<usize>>,
    pub limit: Option<usize>,
    unproven: Unproven,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl FilesExec {
    pub fn new(
        scan: &FilesScan,
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
            format: scan.format.clone(),
            options: scan.options.clone(),
            store: scan.store.clone(),
            groups,
            projection,
            limit,
            unproven: scan.unproven.clone(),
            properties: Arc::new(properties),
            metrics,
        }
    }
}

impl DisplayAs for FilesExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = || self.groups.iter().flatten();
        let bytes: u64 = all().map(|range| range.bytes()).sum();
        write!(f, "FilesExec: files={}, bytes={bytes}", all().count())?;
        match self.limit {
            Some(limit) => write!(f, ", limit={limit}"),
            None => Ok(()),
        }
    }
}

impl ExecutionPlan for FilesExec {
    fn name(&self) -> &str {
        "FilesExec"
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
            return exec_err!("FilesExec has {} partitions, not {partition}", self.groups.len());
        };
        let mut stream = RecordBatchReceiverStream::builder(self.schema(), 2);
        let mut reader = FilesReader {
            store: self.store.clone(),
            format: self.format.clone(),
            rows: Rows::new(self.projection.as_deref(), self.limit),
            unproven: self.unproven.clone(),
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

struct FilesReader {
    store: Arc<dyn ObjectStore>,
    format: Arc<dyn Format>,
    rows: Rows,
    unproven: Unproven,
    metrics: BaselineMetrics,
    out: Sender<Result<RecordBatch>>,
}

impl FilesReader {
    /// Reads the records of a file into batches; returns `false` once no more are wanted.
    async fn read(&mut self, range: &FileRange) -> Result<bool> {
        self.rows.begin(&range.name, range.first_line, range.found_us);
        let format = self.format.clone();
        match format.layout() {
            Layout::Text(format) => self.read_text(format, range).await,
            Layout::Table(format) => self.read_table(format, range).await,
        }
    }

    async fn read_text(&mut self, format: &dyn TextFormat, range: &FileRange) -> Result<bool> {
        let head = match format.has_head() {
            true => head(&*self.store, format, range).await?,
            false => vec![],
        };
        let mut chunks = text(&*self.store, range, range.text.start).await?;
        let (mut splitter, mut hash) = (format.splitter(&head), RecordHash::default());
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

    async fn read_table(&mut self, format: &dyn TableFormat, range: &FileRange) -> Result<bool> {
        let file = TableFile::new(self.store.clone(), range.path.clone(), range.size, range.tag.clone());
        let (mut batches, mut read) = (Decoding::start(format.batches(file)), 0);
        while self.rows.are_wanted() {
            let next = batches.next().await;
            let Some(batch) = next.map_err(|error| of_table(error, range))? else {
                break;
            };
            read += batch.num_rows() as u64;
            let mut row = 0;
            while row < batch.num_rows() && self.rows.are_wanted() {
                let added = add_rows(&batch, row, &mut self.rows);
                row += added.map_err(|error| of_table(error.into(), range))?;
                if self.rows.is_full() && !self.send().await? {
                    return Ok(false);
                }
            }
        }
        if !self.rows.are_wanted() {
            return Ok(false);
        }
        if read == range.records {
            self.unproven.proved(&range.name);
            return Ok(true);
        }
        match range.tag {
            // Every part of it was of the version that was counted.
            Some(_) => {
                let reason = format!("it has {read} rows instead of {}", range.records);
                Err(damaged(range, reason))
            }
            None => Err(changed(range)),
        }
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

/// The text that contains the records; for a plain file, from this place on, and no more.
async fn text(store: &dyn ObjectStore, range: &FileRange, from: u64) -> Result<Chunks> {
    let bytes = match range.codec {
        Codec::Plain => from..range.text.end,
        _ => 0..range.size,
    };
    let opened = bytes_of(store, &range.path, bytes).await;
    Ok(range.codec.text(opened.map_err(|error| unless_changed(error, range))?))
}

/// The text up to the first end of a record.
async fn head(store: &dyn ObjectStore, format: &dyn TextFormat, range: &FileRange) -> Result<Vec<u8>> {
    let mut chunks = text(store, range, 0).await?;
    let (mut ends, mut head) = (format.ends(), vec![]);
    while let Some(chunk) = chunks.try_next().await? {
        let end = ends.next_end(&chunk);
        head.extend_from_slice(&chunk[..end.unwrap_or(chunk.len())]);
        if end.is_some() {
            break;
        }
    }
    Ok(head)
}

/// A file that was rotated or replaced at just this moment is not damaged.
fn unless_changed(error: DataFusionError, range: &FileRange) -> DataFusionError {
    match store_error(&error) {
        Some(object_store::Error::NotFound { .. } | object_store::Error::Precondition { .. }) => changed(range),
        _ => error,
    }
}

/// An error of a table, which is damaged unless its store is in the way.
fn of_table(error: DataFusionError, range: &FileRange) -> DataFusionError {
    match store_error(&error) {
        Some(_) => unless_changed(error, range),
        None => damaged(range, error.message().into_owned()),
    }
}

fn damaged(range: &FileRange, reason: String) -> DataFusionError {
    DataFusionError::External(Box::new(SourceError::Damaged {
        what: range.name.clone(),
        reason,
        help: "put a whole copy in its place, or remove it; none of the new records were committed".to_owned(),
    }))
}

fn changed(range: &FileRange) -> DataFusionError {
    DataFusionError::External(Box::new(SourceError::Unreachable {
        what: range.name.clone(),
        reason: "it was replaced or renamed while it was being read".to_owned(),
        help: "none of its new records were committed; run again".to_owned(),
    }))
}
