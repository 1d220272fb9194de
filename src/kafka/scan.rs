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

use super::filters;
use super::reader::{READER_BYTES, Reader, read};
use crate::config::KafkaConfig;
use crate::source::{BYTES_READ, RecordBatchBuilder, record_schema};

/// Offsets of one partition, `end` not among them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Range {
    /// Kafka's number.
    pub partition: i32,
    /// The first offset to read.
    pub start: i64,
    /// The one after the last.
    pub end: i64,
}

/// Pinned ranges of a topic as a table. What is produced later is not part of it.
///
/// Filters on `partition` and `offset` decide which ranges are read, and are exact; a lower bound of `timestamp` moves
/// their starts, where the broker can tell, and is checked again above the scan.
#[derive(Debug, Clone)]
pub struct KafkaScan {
    config: Arc<KafkaConfig>,
    ranges: Vec<Range>,
}

impl KafkaScan {
    /// A scan of these ranges.
    pub fn new(config: Arc<KafkaConfig>, ranges: Vec<Range>) -> Self {
        Self { config, ranges }
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
        let (waiting, empty): (Vec<Range>, Vec<Range>) = ranges.into_iter().partition(|range| range.start < range.end);
        // A plan has at least one partition, even if nothing waits.
        let ranges = if waiting.is_empty() {
            vec![empty.first().copied().unwrap_or_default()]
        } else {
            waiting
        };
        Ok(Arc::new(KafkaExec::new(
            self.config.clone(),
            ranges,
            projection.cloned(),
            limit,
        )))
    }
}

/// The plan leaf: plain data, so that it can be sent elsewhere; the client is made where it runs.
#[derive(Debug)]
pub(super) struct KafkaExec {
    config: Arc<KafkaConfig>,
    ranges: Vec<Range>,
    projection: Option<Vec<usize>>,
    limit: Option<usize>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl KafkaExec {
    fn new(config: Arc<KafkaConfig>, ranges: Vec<Range>, projection: Option<Vec<usize>>, limit: Option<usize>) -> Self {
        let schema = RecordBatchBuilder::new(projection.as_deref()).schema().clone();
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(ranges.len()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let metrics = ExecutionPlanMetricsSet::new();
        Self {
            config,
            ranges,
            projection,
            limit,
            properties: Arc::new(properties),
            metrics,
        }
    }
}

impl DisplayAs for KafkaExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KafkaExec: topic={}, offsets=[", self.config.topic)?;
        for (index, range) in self.ranges.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{}: {}..{}", range.partition, range.start, range.end)?;
        }
        f.write_str("]")?;
        match self.limit {
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
        let Some(range) = self.ranges.get(partition).copied() else {
            return exec_err!("KafkaExec has {} partitions, not {partition}", self.ranges.len());
        };
        let memory =
            MemoryConsumer::new(format!("Kafka partition {}", range.partition)).register(context.memory_pool());
        memory.try_grow(READER_BYTES)?;
        let mut stream = RecordBatchReceiverStream::builder(self.schema(), 2);
        let reader = Reader {
            config: self.config.clone(),
            range,
            projection: self.projection.clone(),
            limit: self.limit,
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
