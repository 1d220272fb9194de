//! A plan that is run for every request: whatever does not depend on the request is computed once (`once`).
//! `events_to_requests` has one for each step between events and requests, and [`Recommender`](super::Recommender) one
//! for the answer.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::{ExecutionPlan, collect, displayable};
use tokio::sync::Mutex;

use super::request_table::RequestRows;
use super::{RecommenderError, once};
use crate::engine::{Bindings, Engine, query};

/// A plan that is run repeatedly, with the results that do not depend on the request kept.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) plan: Arc<dyn ExecutionPlan>,
    task: Arc<TaskContext>,
    /// Held during a run if runs must not be concurrent.
    alone: Option<Mutex<()>>,
}

impl Planned {
    pub(super) async fn new(engine: &Engine, bindings: &Bindings, sql: &str) -> Result<Self, RecommenderError> {
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

    pub(super) async fn run(&self, rows: RequestRows) -> Result<Vec<RecordBatch>, DataFusionError> {
        let _turn = match &self.alone {
            Some(alone) => Some(alone.lock().await),
            None => None,
        };
        collect(once::fresh(&self.plan)?, rows.task(&self.task)).await
    }
}
