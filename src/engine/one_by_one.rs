//! With one thread, as the server plans its statements, reads the inputs of a union one after another.

use std::fmt;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties};
use futures::{StreamExt, TryStreamExt, stream};

/// Puts an [`OneByOneExec`] above each union if there is one thread. It runs before the rules that repartition a plan:
/// an aggregate above a union then needs no second phase, and the branches need no tasks of their own.
#[derive(Debug)]
pub(super) struct OneByOne;

impl PhysicalOptimizerRule for OneByOne {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        // Dynamic filters of joins wait for all probe partitions, which must therefore run concurrently.
        if config.execution.target_partitions > 1 || config.optimizer.enable_join_dynamic_filter_pushdown {
            return Ok(plan);
        }
        let above_unions = |plan: Arc<dyn ExecutionPlan>| match plan.downcast_ref::<UnionExec>() {
            Some(_) if !plan.boundedness().is_unbounded() => Ok(Transformed::yes(
                Arc::new(OneByOneExec::new(plan)) as Arc<dyn ExecutionPlan>
            )),
            _ => Ok(Transformed::no(plan)),
        };
        plan.transform_up(above_unions).data()
    }

    fn name(&self) -> &str {
        "one_by_one"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Reads the partitions of its input one after another.
#[derive(Debug)]
struct OneByOneExec {
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl OneByOneExec {
    fn new(input: Arc<dyn ExecutionPlan>) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(input.schema()),
            Partitioning::UnknownPartitioning(1),
            input.pipeline_behavior(),
            input.boundedness(),
        );
        Self {
            input,
            properties: Arc::new(properties),
        }
    }
}

impl DisplayAs for OneByOneExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OneByOneExec")
    }
}

impl ExecutionPlan for OneByOneExec {
    fn name(&self) -> &str {
        "OneByOneExec"
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

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        match <[_; 1]>::try_from(children) {
            Ok([input]) => Ok(Arc::new(Self::new(input))),
            Err(others) => internal_err!("OneByOneExec has one input, not {}", others.len()),
        }
    }

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let input = self.input.clone();
        let partitions = 0..input.output_partitioning().partition_count();
        let rows = stream::iter(partitions)
            .map(move |partition| input.execute(partition, context.clone()))
            .try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }
}
