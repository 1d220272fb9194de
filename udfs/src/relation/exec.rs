//! A call in the physical plan: runs the function's `Operation` over the streams of its inputs, spread over partitions
//! or executors where its rows allow that; keeps what it derived from the first inputs for plans that run again and
//! again (a model, a history).

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::Session;
use datafusion::common::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{LogicalPlan, UserDefinedLogicalNode};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{Distribution, EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, EmptyRecordBatchStream, ExecutionPlan, ExecutionPlanProperties,
    InputDistributionRequirements, PlanProperties,
};
use datafusion::physical_planner::{ExtensionPlanner, PhysicalPlanner};

use super::node::FunctionNode;
use super::{ByQueries, Operation};

/// Plans the nodes of function calls.
pub fn extension_planner() -> Arc<dyn ExtensionPlanner + Send + Sync> {
    Arc::new(FunctionExtension)
}

struct FunctionExtension;

#[async_trait]
impl ExtensionPlanner for FunctionExtension {
    async fn plan_extension(
        &self,
        _: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _: &[&LogicalPlan],
        inputs: &[Arc<dyn ExecutionPlan>],
        session: &dyn Session,
        _: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(node) = node.as_any().downcast_ref::<FunctionNode>() else {
            return Ok(None);
        };
        Ok(Some(Arc::new(FunctionExec::new(
            node.name,
            node.arguments.clone(),
            inputs.to_vec(),
            node.schema.inner().clone(),
            node.operation.clone(),
            session.config().get_extension::<Distributed>().is_some() && node.operation.independent_by().is_some(),
        ))))
    }
}

/// Marks sessions whose plans run on several machines: calls are distributed if their rows allow it.
#[derive(Debug, Clone, Copy)]
pub struct Distributed;

/// Marks sessions over a few rows, such as those of tests: they always train models in memory, whatever is requested.
#[derive(Debug, Clone, Copy)]
pub struct FewRows;

/// A call in the physical plan: reads each input as one stream, and returns one. If it is distributed, the rows of the
/// last input are partitioned, and each of those partitions is a partition of the result.
#[derive(Debug)]
pub struct FunctionExec {
    pub(super) name: &'static str,
    pub(super) arguments: String,
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    pub(super) operation: Arc<dyn Operation>,
    pub(super) is_spread: bool,
    /// Whether to keep what was derived from the first inputs for the next execution.
    keeps: bool,
    properties: Arc<PlanProperties>,
}

impl FunctionExec {
    pub(super) fn new(
        name: &'static str,
        arguments: String,
        inputs: Vec<Arc<dyn ExecutionPlan>>,
        schema: SchemaRef,
        operation: Arc<dyn Operation>,
        is_spread: bool,
    ) -> Self {
        let partitions = inputs
            .last()
            .filter(|_| is_spread)
            .map_or(1, |last| last.output_partitioning().partition_count());
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Self {
            name,
            arguments,
            inputs,
            operation,
            is_spread,
            // So that the earlier inputs are read once for all partitions.
            keeps: is_spread,
            properties: Arc::new(properties),
        }
    }
}

impl FunctionExec {
    /// The same call for a plan that runs repeatedly with the same first input: what the function derives from it is
    /// kept as long as the plan.
    #[must_use]
    pub fn keeping(&self) -> Self {
        Self {
            name: self.name,
            arguments: self.arguments.clone(),
            inputs: self.inputs.clone(),
            operation: self.operation.fresh().unwrap_or_else(|| self.operation.clone()),
            is_spread: self.is_spread,
            keeps: true,
            properties: self.properties.clone(),
        }
    }

    /// How to compute its result by queries, if that is possible; the inputs are its children.
    pub fn by_queries(&self) -> Option<Arc<dyn ByQueries>> {
        self.operation.by_queries()
    }

    /// How many of its inputs are not reread, because what was derived from them is kept.
    pub fn inputs_kept(&self) -> usize {
        match self.keeps {
            true => self.operation.inputs_kept(),
            false => 0,
        }
    }
}

impl DisplayAs for FunctionExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spread = if self.is_spread { ", spread" } else { "" };
        write!(f, "FunctionExec: {}({}){spread}", self.name, self.arguments)
    }
}

impl ExecutionPlan for FunctionExec {
    fn name(&self) -> &str {
        "FunctionExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().collect()
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        let mut required = vec![Distribution::SinglePartition; self.inputs.len()];
        if let (true, Some(last), Some(column)) = (self.is_spread, self.inputs.last(), self.operation.independent_by())
        {
            let name = last.schema().field(column).name().clone();
            if let Some(required) = required.last_mut() {
                *required = Distribution::KeyPartitioned(vec![Arc::new(Column::new(&name, column))]);
            }
        }
        InputDistributionRequirements::new(required)
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, inputs: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let new = Self::new(
            self.name,
            self.arguments.clone(),
            inputs,
            self.schema(),
            self.operation.clone(),
            self.is_spread,
        );
        Ok(Arc::new(Self {
            keeps: self.keeps,
            ..new
        }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let operation = match self.keeps {
            true => self.operation.clone(),
            false => self.operation.fresh().unwrap_or_else(|| self.operation.clone()),
        };
        let kept = operation.inputs_kept();
        let stream = |(place, input): (usize, &Arc<dyn ExecutionPlan>)| match place < kept {
            true => Ok(Box::pin(EmptyRecordBatchStream::new(input.schema())) as SendableRecordBatchStream),
            false if self.is_spread && place + 1 == self.inputs.len() => input.execute(partition, context.clone()),
            false => input.execute(0, context.clone()),
        };
        let inputs = self.inputs.iter().enumerate().map(stream).collect::<Result<_>>()?;
        operation.execute(inputs, self.schema(), context)
    }
}
