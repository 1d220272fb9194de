//! From logical to physical plans: DataFusion's planner, with the table functions that take relations. A call such as
//! `session_knn(…)` is a logical node by then (`udfs/src/relation/planner.rs`), and becomes the plan node of
//! `udfs/src/relation/exec.rs`.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::error::Result;
use datafusion::execution::context;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, PhysicalPlanner};

/// DataFusion's planner, extended with the table functions that take relations (`als_train`, …).
#[derive(Debug)]
pub(super) struct QueryPlanner;

#[async_trait]
impl context::QueryPlanner for QueryPlanner {
    async fn create_physical_plan(&self, plan: &LogicalPlan, state: &dyn Session) -> Result<Arc<dyn ExecutionPlan>> {
        DefaultPhysicalPlanner::with_extension_planners(vec![clickrec_udfs::extension_planner()])
            .create_physical_plan(plan, state)
            .await
    }
}
