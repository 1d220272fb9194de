//! Computes the parts of a plan that do not depend on the request once, and keeps them as long as the plan.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use clickrec_udfs::relation::FunctionExec;
use datafusion::common::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions, reset_plan_states};
use datafusion::physical_plan::memory::MemoryStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties};
use futures::{TryStreamExt, stream};
use tokio::sync::OnceCell;

use super::request_table::RequestExec;

/// The name of the plan node for scalar subqueries.
const SUBQUERY: &str = "ScalarSubqueryExec";

/// Puts an [`OnceExec`] above the largest subplans that do not read the request. The inputs of table functions are left
/// alone: a function whose first input (a model, a history) is always the same keeps what it derives from it.
pub(super) fn compute_once(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    if !reads_request(&plan) {
        return Ok(Arc::new(OnceExec::new(plan)));
    }
    // A subquery's value reaches its input outside the plan tree, so nothing below it is the same every time.
    if plan.name() == SUBQUERY {
        return Ok(plan);
    }
    let function = plan.downcast_ref::<FunctionExec>();
    let child = |child: &Arc<dyn ExecutionPlan>| match function.is_some() && !reads_request(child) {
        true => Ok(child.clone()),
        false => compute_once(child.clone()),
    };
    let plan = match function {
        Some(function) if !function.children().first().is_some_and(|first| reads_request(first)) => {
            Arc::new(function.keeping()) as Arc<dyn ExecutionPlan>
        }
        _ => plan.clone(),
    };
    let children = plan.children().into_iter().map(child).collect::<Result<Vec<_>>>()?;
    match children.is_empty() {
        true => Ok(plan),
        false => plan.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute)),
    }
}

/// Resets the plan for the next run. (DataFusion's own `reset_plan_states` recomputes the properties of every node
/// above a changed one, which took longer than running a few rows.)
pub(super) fn fresh(plan: &Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let kept = plan.downcast_ref::<FunctionExec>().map_or(0, FunctionExec::inputs_kept);
    let child = |(place, child): (usize, &Arc<dyn ExecutionPlan>)| match place < kept {
        true => Ok(child.clone()),
        false => fresh(child),
    };
    let children = plan
        .children()
        .into_iter()
        .enumerate()
        .map(child)
        .collect::<Result<Vec<_>>>()?;
    let plan = match children.is_empty() {
        true => plan.clone(),
        false => plan
            .clone()
            .replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep))?,
    };
    plan.reset_state()
}

/// Whether the plan contains a scalar subquery, whose value is shared by all its runs.
pub(super) fn has_subquery(plan: &Arc<dyn ExecutionPlan>) -> bool {
    plan.name() == SUBQUERY || plan.children().into_iter().any(has_subquery)
}

fn reads_request(plan: &Arc<dyn ExecutionPlan>) -> bool {
    plan.downcast_ref::<RequestExec>().is_some() || plan.children().into_iter().any(reads_request)
}

/// Runs its input the first time, and returns the same batches every time after.
#[derive(Debug)]
struct OnceExec {
    input: Arc<dyn ExecutionPlan>,
    /// One entry per partition.
    kept: Arc<Vec<OnceCell<Kept>>>,
}

#[derive(Debug)]
struct Kept {
    batches: Vec<RecordBatch>,
    _memory: MemoryReservation,
}

impl OnceExec {
    fn new(input: Arc<dyn ExecutionPlan>) -> Self {
        let partitions = input.output_partitioning().partition_count();
        Self {
            input,
            kept: Arc::new((0..partitions).map(|_| OnceCell::new()).collect()),
        }
    }
}

impl DisplayAs for OnceExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OnceExec")
    }
}

impl ExecutionPlan for OnceExec {
    fn name(&self) -> &str {
        "OnceExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        // No children: what is kept is all there is, and nothing below must be reset.
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

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (input, kept) = (self.input.clone(), self.kept.clone());
        let partitions = kept.len();
        let schema = self.schema();
        let expected = schema.clone();
        let batches = async move {
            let read = || async {
                let memory = MemoryConsumer::new("OnceExec").register(context.memory_pool());
                // A failed or canceled run has left its state in the plan.
                let input = match partitions {
                    1 => reset_plan_states(input.clone())?,
                    _ => input.clone(),
                };
                let mut rows = input.execute(partition, context.clone())?;
                let mut batches = vec![];
                while let Some(batch) = rows.try_next().await? {
                    memory.try_grow(batch.get_array_memory_size())?;
                    batches.push(batch);
                }
                Ok::<_, datafusion::error::DataFusionError>(Kept {
                    batches,
                    _memory: memory,
                })
            };
            let kept = kept[partition].get_or_try_init(read).await?;
            MemoryStream::try_new(kept.batches.clone(), expected, None)
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            schema,
            stream::once(batches).try_flatten(),
        )))
    }
}
