//! A call in the logical plan: what makes two calls equal, and how `explain` shows one.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::common::{DFSchemaRef, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNodeCore};

use super::{Bound, Operation};

/// A call in the logical plan. It is identified by its name, the text of its arguments, and its inputs.
#[derive(Clone)]
pub(super) struct FunctionNode {
    pub name: &'static str,
    pub arguments: String,
    pub inputs: Vec<LogicalPlan>,
    pub schema: DFSchemaRef,
    pub operation: Arc<dyn Operation>,
}

impl FunctionNode {
    pub fn new(name: &'static str, arguments: String, bound: Bound, schema: DFSchemaRef) -> Self {
        Self {
            name,
            arguments,
            inputs: bound.inputs,
            schema,
            operation: bound.operation,
        }
    }

    fn identity(&self) -> (&str, &str, &[LogicalPlan]) {
        (self.name, &self.arguments, &self.inputs)
    }
}

impl PartialEq for FunctionNode {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for FunctionNode {}

impl Hash for FunctionNode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

impl PartialOrd for FunctionNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.identity().partial_cmp(&other.identity())
    }
}

impl fmt::Debug for FunctionNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_for_explain(f)
    }
}

impl UserDefinedLogicalNodeCore for FunctionNode {
    fn name(&self) -> &str {
        self.name
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        self.inputs.iter().collect()
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        vec![]
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name, self.arguments)
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        Ok(Self { inputs, ..self.clone() })
    }

    fn necessary_children_exprs(&self, _: &[usize]) -> Option<Vec<Vec<usize>>> {
        // The operation reads every column of its inputs, which were projected to what it needs when it was bound.
        Some(
            self.inputs
                .iter()
                .map(|input| (0..input.schema().fields().len()).collect())
                .collect(),
        )
    }
}
