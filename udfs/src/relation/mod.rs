//! Table functions that take relations and named arguments: `als_train(gold.session_items, factors => 64)`.
//!
//! DataFusion's own table functions take literals only. Here a [`RelationPlanner`] sees the call as it was written,
//! plans the relations among its arguments in the enclosing query (so that CTEs work), and lets the function check
//! the rest. What comes out is one plan node over those relations.
//!
//! - `rewrite`: tables among the arguments, where DataFusion looks for tables.
//! - `arguments`: from syntax to checked values.
//! - `planner`: the call becomes a logical node.
//! - `wire`: the physical node as bytes, for another process.
//! - `node`, `exec`: the node in the logical and in the physical plan. Nothing runs before the plan does.
//!
//! [`RelationPlanner`]: datafusion::logical_expr::planner::RelationPlanner

mod arguments;
mod exec;
mod node;
mod planner;
mod rewrite;
mod wire;

use std::fmt::Debug;
use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::LogicalPlan;

use crate::als_sql::Training;

pub use arguments::{Arguments, Kind, Parameter};
pub use exec::{Distributed, FewRows, FunctionExec, extension_planner};
pub use planner::relation_planner;
pub use rewrite::relations_as_subqueries;

/// A table function whose arguments may be relations.
pub trait RelationFunction: Debug + Send + Sync {
    /// Its name in SQL.
    fn name(&self) -> &'static str;

    /// One sentence on what it returns.
    fn doc(&self) -> &'static str;

    /// Its parameters; an argument without a name takes the first free one.
    fn parameters(&self) -> &'static [Parameter];

    /// Checks the arguments, and says what will be read and returned. Runs nothing.
    ///
    /// # Errors
    /// A plan error that names the function and the argument.
    fn bind(&self, arguments: &Arguments) -> Result<Bound>;

    /// The operation that [`Operation::to_wire`] wrote, in another process of the same version.
    ///
    /// # Errors
    /// When it is of another version.
    fn operation(&self, wire: serde_json::Value) -> serde_json::Result<Arc<dyn Operation>>;
}

/// A call that was checked.
#[derive(Debug)]
pub struct Bound {
    /// What is read, with just the columns that [`Operation::execute`] expects.
    pub inputs: Vec<LogicalPlan>,
    /// What is returned.
    pub schema: SchemaRef,
    /// How.
    pub operation: Arc<dyn Operation>,
}

/// What a call does once the plan runs.
pub trait Operation: Debug + Send + Sync {
    /// Turns the inputs, one stream each, into the result. Long work belongs on a blocking thread, not in the stream.
    ///
    /// # Errors
    /// When the work cannot start.
    fn execute(
        &self,
        inputs: Vec<SendableRecordBatchStream>,
        schema: SchemaRef,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream>;

    /// How many of the first inputs are not read again, because an earlier execution of the same plan has read them and
    /// keeps what it made of them. They come as empty streams.
    fn inputs_kept(&self) -> usize {
        0
    }

    /// What it does, without anything it keeps: for [`RelationFunction::operation`].
    ///
    /// # Errors
    /// When a setting cannot be written as JSON.
    fn to_wire(&self) -> serde_json::Result<serde_json::Value>;

    /// The column of the last input by which its rows can be dealt out: what comes of the rows of one value depends on no
    /// others of that input. Earlier inputs are read whole.
    fn independent_by(&self) -> Option<usize> {
        None
    }

    /// How a model is trained by queries, for whoever runs them: instead of this operation, or where it lacks memory.
    fn training(&self) -> Option<Training> {
        None
    }

    /// A copy that keeps nothing yet, for an operation that can keep something.
    fn fresh(&self) -> Option<Arc<dyn Operation>> {
        None
    }
}
