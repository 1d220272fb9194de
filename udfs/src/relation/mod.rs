//! Table functions that take relations and named arguments: `als_train(gold.session_items, factors => 64)`.
//!
//! DataFusion's own table functions accept only literals. Here a [`RelationPlanner`] receives the call as written,
//! plans the relations among its arguments in the enclosing query (so that CTEs work), and lets the function check the
//! rest. The result is one plan node over those relations.
//!
//! - `rewrite`: moves tables in the arguments to where DataFusion looks for tables.
//! - `arguments`: from syntax to checked values.
//! - `planner`: turns the call into a logical node.
//! - `by_queries`: a call as a sequence of queries, for data that memory does not hold.
//! - `wire`: serializes the physical node for another process.
//! - `node`, `exec`: the node in the logical and in the physical plan. Nothing runs before the plan does.
//!
//! [`RelationPlanner`]: datafusion::logical_expr::planner::RelationPlanner

mod arguments;
mod by_queries;
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

pub use arguments::{Arguments, Kind, Parameter};
pub use by_queries::{ByQueries, QueryRunner, StoredTable};
pub use exec::{Distributed, FewRows, FunctionExec, extension_planner};
pub use planner::relation_planner;
pub use rewrite::relations_as_subqueries;

/// A table function whose arguments may be relations.
pub trait RelationFunction: Debug + Send + Sync {
    /// Its name in SQL.
    fn name(&self) -> &'static str;

    /// One sentence on what it returns.
    fn doc(&self) -> &'static str;

    /// Its parameters; an unnamed argument takes the first free one.
    fn parameters(&self) -> &'static [Parameter];

    /// Checks the arguments, and returns what to read and the schema of the result. Runs nothing.
    ///
    /// # Errors
    /// A plan error that names the function and the argument.
    fn bind(&self, arguments: &Arguments) -> Result<Bound>;

    /// Deserializes an operation from [`Operation::to_wire`], in another process of the same version.
    ///
    /// # Errors
    /// When it comes from another version.
    fn operation(&self, wire: serde_json::Value) -> serde_json::Result<Arc<dyn Operation>>;
}

/// A call whose arguments have been checked.
#[derive(Debug)]
pub struct Bound {
    /// The inputs, with exactly the columns that [`Operation::execute`] expects.
    pub inputs: Vec<LogicalPlan>,
    /// The schema of the result.
    pub schema: SchemaRef,
    /// How to compute it.
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

    /// How many of the first inputs are not reread, because an earlier execution of the same plan has read them and
    /// kept what it derived from them. They arrive as empty streams.
    fn inputs_kept(&self) -> usize {
        0
    }

    /// Serializes the operation, without anything it keeps, for [`RelationFunction::operation`].
    ///
    /// # Errors
    /// When a setting cannot be written as JSON.
    fn to_wire(&self) -> serde_json::Result<serde_json::Value>;

    /// The column of the last input by which its rows can be partitioned: the result for the rows of one value does not
    /// depend on any other rows of that input. Earlier inputs are read in full.
    fn independent_by(&self) -> Option<usize> {
        None
    }

    /// How to compute the result by queries instead, if that is possible.
    fn by_queries(&self) -> Option<Arc<dyn ByQueries>> {
        None
    }

    /// A copy without kept state, for an operation that can keep some.
    fn fresh(&self) -> Option<Arc<dyn Operation>> {
        None
    }
}
