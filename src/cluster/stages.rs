//! Into how many tasks a cluster will split each stage of a plan, for `clickrec plan`.

use std::sync::Arc;

use ballista_core::JobId;
use ballista_scheduler::planner::{DefaultDistributedPlanner, DistributedPlanner};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionConfig;

use super::prepare::prepare;
use super::{ClusterError, ballista};

/// How many tasks each stage of a plan is split into, in execution order, as Ballista's scheduler will split it. Runs
/// nothing.
///
/// # Errors
/// When the plan cannot be split.
pub fn stages(plan: Arc<dyn ExecutionPlan>, config: &SessionConfig) -> Result<Vec<usize>, ClusterError> {
    let plan = prepare(plan).map_err(ClusterError::Plan)?;
    let config = ballista(config);
    let job = JobId::new("plan".to_owned());
    let stages = DefaultDistributedPlanner::new().plan_query_stages(&job, plan, config.options());
    let stages =
        stages.map_err(|error| ClusterError::Settings(format!("the plan cannot be split into stages: {error}")))?;
    Ok(stages.iter().map(|stage| stage.input_partition_count()).collect())
}
