//! Recommends items for given sessions, with the SQL of `gold.recommendations` in which the sessions replace the view
//! `gold.requests`. The table and the answers therefore come from the same statement.
//!
//! - [`Recommender`]: the statement, planned once and run for every request. Whatever does not depend on the request
//!   (models, indices, popularity) is read once.
//! - [`Requests`]: turns the events of sessions into rows of `gold.requests`, with the project's own SQL.
//! - [`reasons`]: which of a session's items explain a recommendation.

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

/// The table of session events.
pub const EVENTS: &str = "silver.events";
/// The view that contains the sessions to recommend for.
pub const REQUESTS: &str = "gold.requests";
/// The step whose SQL answers requests.
pub const RECOMMENDATIONS: &str = "gold.recommendations";

/// A statement over `gold.requests`, planned once for a snapshot of the lake.
#[derive(Debug)]
pub struct Recommender {
    requests: Arc<RequestTable>,
    plan: Planned,
}

impl Recommender {
    /// Plans the project's own `gold.recommendations`.
    ///
    /// # Errors
    /// When the project has no such step, or no view `gold.requests`, or the lake cannot be read.
    pub async fn of_project(runner: &Runner) -> Result<Self, RecommenderError> {
        let sql = step(runner, RECOMMENDATIONS)?.step.sql.clone();
        Self::new(runner, runner.engine(), &sql).await
    }

    /// Plans a statement. `engine` determines the number of threads of its relational part, and the values of its
    /// `var('…', …)`.
    ///
    /// # Errors
    /// As [`Recommender::of_project`], and when the statement does not plan.
    pub async fn new(runner: &Runner, engine: &Engine, sql: &str) -> Result<Self, RecommenderError> {
        Self::over(runner, engine, runner.bindings().await?, sql).await
    }

    /// The same over tables that are already open.
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

    /// Runs the statement for some sessions, given as rows of `gold.requests`. Calls may run concurrently.
    ///
    /// # Errors
    /// When the rows have other columns, or the statement fails.
    pub async fn answer(&self, requests: &RecordBatch) -> Result<Vec<RecordBatch>, DataFusionError> {
        let mut asked = Asked::default();
        asked.insert(&self.requests.name, vec![self.requests.conform(requests)?]);
        self.plan.run(asked).await
    }
}

/// A plan that is run repeatedly, with the results that do not depend on the request kept.
#[derive(Debug)]
struct Planned {
    plan: Arc<dyn ExecutionPlan>,
    task: Arc<TaskContext>,
    /// Held during a run if runs must not be concurrent.
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
