//! The plan node that deals the partitions of a source's leaf to the tasks of a stage; without it, every task would
//! read all of them.

use std::fmt;
use std::sync::Arc;

use arrow::array::{AsArray, Int32Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int32Type, Schema};
use datafusion::catalog::memory::MemorySourceConfig;
use datafusion::common::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties};
use futures::{StreamExt, TryStreamExt, stream};

/// One of our leaves, whose partitions are shared by several tasks.
///
/// Ballista gives each task some partitions of a stage, and restricts the leaves it knows to these; any other leaf
/// would be read in full by every task. The partitions are therefore supplied by an input that it does know: an
/// in-memory table with one partition for each of ours, which contains its number as the only row.
#[derive(Debug)]
pub(super) struct ScatteredExec {
    pub leaf: Arc<dyn ExecutionPlan>,
    numbers: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl ScatteredExec {
    /// All partitions of a leaf.
    ///
    /// # Errors
    /// When their numbers cannot form a table.
    pub fn all(leaf: Arc<dyn ExecutionPlan>) -> Result<Self> {
        let schema = Arc::new(Schema::new(vec![Field::new("partition", DataType::Int32, false)]));
        let partitions = i32::try_from(leaf.output_partitioning().partition_count()).unwrap_or(i32::MAX);
        let rows = (0..partitions)
            .map(|number| {
                let number = Arc::new(Int32Array::from(vec![number]));
                Ok(vec![RecordBatch::try_new(schema.clone(), vec![number])?])
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Self::new(leaf, MemorySourceConfig::try_new_exec(&rows, schema, None)?))
    }

    /// The partitions of `leaf` listed in `numbers`.
    pub fn new(leaf: Arc<dyn ExecutionPlan>, numbers: Arc<dyn ExecutionPlan>) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(leaf.schema()),
            Partitioning::UnknownPartitioning(numbers.output_partitioning().partition_count()),
            leaf.pipeline_behavior(),
            leaf.boundedness(),
        );
        Self {
            leaf,
            numbers,
            properties: Arc::new(properties),
        }
    }
}

impl DisplayAs for ScatteredExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScatteredExec: ")?;
        self.leaf.fmt_as(format, f)
    }
}

impl ExecutionPlan for ScatteredExec {
    fn name(&self) -> &str {
        "ScatteredExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.numbers]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, mut inputs: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self::new(self.leaf.clone(), inputs.swap_remove(0))))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        self.leaf.metrics()
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let numbers = self.numbers.execute(partition, context.clone())?;
        let leaf = self.leaf.clone();
        let rows = numbers.map(move |numbers| {
            let numbers = numbers?.column(0).as_primitive::<Int32Type>().clone();
            let (leaf, context) = (leaf.clone(), context.clone());
            let parts = numbers.values().to_vec().into_iter();
            let read = move |number: i32| leaf.execute(usize::try_from(number).unwrap_or_default(), context.clone());
            Ok::<_, datafusion::error::DataFusionError>(stream::iter(parts.map(read)).try_flatten())
        });
        let rows = rows.try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }
}
