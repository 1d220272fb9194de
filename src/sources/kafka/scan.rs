//! The plan leaf that reads ranges of offsets, dealt out to as many `reader`s as run at once.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, exec_err};
use datafusion::datasource::TableType;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::TryStreamExt;

use super::KafkaConfig;
use super::filters;
use super::range::{Range, Task, TopicIds};
use super::reader::{READER_BYTES, Reader, read};
use crate::sources::{BYTES_READ, RecordBatchBuilder, record_schema, values};

/// Fixed offset ranges of topics as a table. Excludes whatever is produced later.
///
/// Filters on `topic`, `partition` and `offset` decide which ranges are read, and are exact. A lower bound on `timestamp` moves
/// the starts of the ranges, if the broker can look up times, and is applied again above the scan.
#[derive(Debug, Clone)]
pub struct KafkaScan {
    config: Arc<KafkaConfig>,
    topic_ids: TopicIds,
    ranges: Vec<Range>,
}

impl KafkaScan {
    /// A scan of these ranges in topics with these identities, as far as known.
    pub(super) fn new(config: Arc<KafkaConfig>, topic_ids: TopicIds, ranges: Vec<Range>) -> Self {
        Self {
            config,
            topic_ids,
            ranges,
        }
    }

    /// The values of all its records, read without a query.
    pub(super) async fn values(&self) -> Result<Vec<Vec<u8>>> {
        let task = Task {
            config: self.config.clone(),
            topic_ids: self.topic_ids.clone(),
            projection: None,
            limit: None,
        };
        let readers = KafkaExec::new(task, deal_out(self.ranges.clone(), 1));
        let mut batches = readers.execute(0, Arc::new(TaskContext::default()))?;
        let mut found = vec![];
        while let Some(batch) = batches.try_next().await? {
            found.extend(values(&batch));
        }
        Ok(found)
    }
}

#[async_trait]
impl TableProvider for KafkaScan {
    fn schema(&self) -> SchemaRef {
        record_schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(filters.iter().map(|filter| filters::support(filter)).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let ranges = filters::narrow(&self.config, self.ranges.clone(), filters, state).await?;
        let task = Task {
            config: self.config.clone(),
            topic_ids: self.topic_ids.clone(),
            projection: projection.cloned(),
            limit,
        };
        let readers = state.config().target_partitions();
        Ok(Arc::new(KafkaExec::new(task, deal_out(ranges, readers))))
    }
}

/// Splits the ranges over at most this many readers, each with about the same amount to read. A consumer has
/// connections and threads, and each plan partition becomes a file, so there are no more readers than can run at once.
fn deal_out(mut ranges: Vec<Range>, readers: usize) -> Vec<Vec<Range>> {
    ranges.retain(|range| !range.is_empty());
    ranges.sort_by(|a, b| (b.len(), &a.topic, a.partition).cmp(&(a.len(), &b.topic, b.partition)));
    // A plan has at least one partition, even if there is nothing to read.
    let readers = readers.clamp(1, ranges.len().max(1));
    let mut dealt: Vec<(u64, Vec<Range>)> = vec![(0, vec![]); readers];
    for range in ranges {
        if let Some((records, least)) = dealt.iter_mut().min_by_key(|(records, _)| *records) {
            *records += range.len();
            least.push(range);
        }
    }
    dealt.into_iter().map(|(_, ranges)| ranges).collect()
}

/// The plan leaf: plain data, so that it can be sent to another process; clients are created where it runs.
#[derive(Debug)]
pub(super) struct KafkaExec {
    pub task: Arc<Task>,
    /// The ranges of each reader.
    pub ranges: Vec<Vec<Range>>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl KafkaExec {
    pub fn new(task: Task, ranges: Vec<Vec<Range>>) -> Self {
        let schema = RecordBatchBuilder::new(task.projection.as_deref()).schema().clone();
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(ranges.len()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Self {
            task: Arc::new(task),
            ranges,
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }
}

impl DisplayAs for KafkaExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let only = self.task.config.topics.only();
        match only {
            Some(topic) => write!(f, "KafkaExec: topic={topic}, offsets=[")?,
            None => f.write_str("KafkaExec: offsets=[")?,
        }
        let mut ranges: Vec<&Range> = self.ranges.iter().flatten().collect();
        ranges.sort_by_key(|range| (&range.topic, range.partition));
        for (index, range) in ranges.into_iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            match only {
                Some(_) => write!(f, "{comma}{}: {}..{}", range.partition, range.start, range.end)?,
                None => write!(f, "{comma}{}: {}..{}", range.place(), range.start, range.end)?,
            }
        }
        f.write_str("]")?;
        match self.task.limit {
            Some(limit) => write!(f, ", limit={limit}"),
            None => Ok(()),
        }
    }
}

impl ExecutionPlan for KafkaExec {
    fn name(&self) -> &str {
        "KafkaExec"
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

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let Some(ranges) = self.ranges.get(partition).cloned() else {
            return exec_err!("KafkaExec has {} partitions, not {partition}", self.ranges.len());
        };
        let memory = MemoryConsumer::new(format!("Kafka reader {partition}")).register(context.memory_pool());
        memory.try_grow(READER_BYTES)?;
        let mut stream = RecordBatchReceiverStream::builder(self.schema(), 2);
        let reader = Reader {
            task: self.task.clone(),
            ranges,
            metrics: BaselineMetrics::new(&self.metrics, partition),
            bytes: MetricBuilder::new(&self.metrics).counter(BYTES_READ, partition),
        };
        let out = stream.tx();
        stream.spawn_blocking(move || {
            let _held = memory;
            read(reader, &out)
        });
        Ok(stream.build())
    }
}
