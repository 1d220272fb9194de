//! Answers for sessions that are asked about: the SQL of `gold.recommendations`, with the sessions in question in the
//! place of the view `gold.requests`. What the table holds and what is answered come from the same statement.
//!
//! - [`Recommender`]: the statement planned once, run for request after request. What does not depend on the request
//!   (models, indices, popularity) is read once.
//! - [`Requests`]: from the events of sessions to the rows of `gold.requests`, by the project's own SQL.
//! - [`reasons`]: which of a session's items speak for a recommendation.

mod error;
mod once;
mod reasons;
mod request_table;
mod requests;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::{ExecutionPlan, collect, displayable};
use tokio::sync::Mutex;

pub use error::RecommenderError;
pub use reasons::{Reason, reasons, texts};
pub use requests::Requests;

use crate::config::TableName;
use crate::engine::{Bindings, Engine, query};
use crate::pipeline::Runner;
use request_table::{Asked, RequestTable};

/// The events of which sessions consist.
pub const EVENTS: &str = "silver.events";
/// The view that stands for the sessions to recommend for.
pub const REQUESTS: &str = "gold.requests";
/// The step whose SQL answers.
pub const RECOMMENDATIONS: &str = "gold.recommendations";

/// A statement over `gold.requests`, planned once for the lake as it was then.
#[derive(Debug)]
pub struct Recommender {
    requests: Arc<RequestTable>,
    plan: Planned,
}

impl Recommender {
    /// Plans the project's own `gold.recommendations`.
    ///
    /// # Errors
    /// When the project has no such step, or no view `gold.requests`, or the lake does not answer.
    pub async fn of_project(runner: &Runner) -> Result<Self, RecommenderError> {
        let sql = step(runner, RECOMMENDATIONS)?.step.sql.clone();
        Self::new(runner, runner.engine(), &sql).await
    }

    /// Plans a statement. `engine` says with how many threads its relational part runs, and what its `var('…', …)` are.
    ///
    /// # Errors
    /// As [`Recommender::of_project`], and when the statement does not plan.
    pub async fn new(runner: &Runner, engine: &Engine, sql: &str) -> Result<Self, RecommenderError> {
        Self::over(runner, engine, runner.bindings().await?, sql).await
    }

    /// The same over tables that are open already.
    ///
    /// # Errors
    /// As [`Recommender::new`].
    pub async fn over(
        runner: &Runner,
        engine: &Engine,
        mut bindings: Bindings,
        sql: &str,
    ) -> Result<Self, RecommenderError> {
        let name = step(runner, REQUESTS)?.name().clone();
        let requests = Arc::new(RequestTable::new(name.clone(), schema(runner, &name)?));
        bindings.views.retain(|view| view.name != name);
        bindings.tables.insert(name, requests.clone());
        Ok(Self {
            requests,
            plan: Planned::new(engine, &bindings, sql).await?,
        })
    }

    /// The columns of the answer.
    pub fn schema(&self) -> SchemaRef {
        self.plan.plan.schema()
    }

    /// Runs the statement for some sessions: rows as `gold.requests` has them. Calls may be beside each other.
    ///
    /// # Errors
    /// When the rows have other columns, or the statement fails.
    pub async fn answer(&self, requests: &RecordBatch) -> Result<Vec<RecordBatch>, DataFusionError> {
        let mut asked = Asked::default();
        asked.insert(&self.requests.name, vec![self.requests.conform(requests)?]);
        self.plan.run(asked).await
    }
}

/// A plan that runs again and again, with what does not depend on the request kept.
#[derive(Debug)]
struct Planned {
    plan: Arc<dyn ExecutionPlan>,
    task: Arc<TaskContext>,
    /// Held by the run at work, where runs cannot be beside each other.
    alone: Option<Mutex<()>>,
}

impl Planned {
    async fn new(engine: &Engine, bindings: &Bindings, sql: &str) -> Result<Self, RecommenderError> {
        let session = engine.session(bindings).await?;
        let plan = query(&session, sql).await?.create_physical_plan().await?;
        let plan = once::compute_once(plan)?;
        tracing::trace!("planned once:\n{}", displayable(plan.as_ref()).indent(false));
        Ok(Self {
            alone: once::has_subquery(&plan).then(Mutex::default),
            plan,
            task: session.task_ctx(),
        })
    }

    async fn run(&self, asked: Asked) -> Result<Vec<RecordBatch>, DataFusionError> {
        let _turn = match &self.alone {
            Some(alone) => Some(alone.lock().await),
            None => None,
        };
        collect(once::fresh(&self.plan)?, asked.task(&self.task)).await
    }
}

/// A step that a recommender needs.
fn step<'a>(runner: &'a Runner, name: &str) -> Result<&'a crate::pipeline::Node, RecommenderError> {
    let node = runner.dag().named(name);
    node.ok_or_else(|| RecommenderError::NoStep { name: name.to_owned() })
}

fn schema(runner: &Runner, name: &TableName) -> Result<SchemaRef, RecommenderError> {
    let schema = runner.schemas().get(name).cloned();
    schema.ok_or_else(|| RecommenderError::NoStep { name: name.to_string() })
}
