//! Decides which executors get tasks, and which jobs have to restart because they lost an executor.
//!
//! Ballista 55.0 continues a job that lost an executor: stages that read its shuffles are rolled back and run again.
//! Two things go wrong then, so here such a job gets no more tasks and is canceled, and the client restarts it.
//!
//! - The shuffles that a stage had written before the rollback are still read, in addition to those of its second run:
//!   rows are duplicated.
//! - The slots of its tasks are not released, so that in the end no executor has a free one. Slots are therefore
//!   recounted each time from the tasks that the scheduler considers running.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use ballista_core::JobId;
use ballista_core::error::Result;
use ballista_core::serde::protobuf::ExecutorHeartbeat;
use ballista_core::serde::protobuf::failed_task::FailedReason;
use ballista_core::serde::protobuf::task_status::Status;
use ballista_core::serde::scheduler::{ExecutorData, ExecutorMetadata};
use ballista_scheduler::cluster::memory::InMemoryClusterState;
use ballista_scheduler::cluster::{BoundTask, ClusterState, ClusterStateEventStream, ExecutorSlot};
use ballista_scheduler::config::TaskDistributionPolicy;
use ballista_scheduler::state::execution_stage::{ExecutionStage, TaskInfo};
use ballista_scheduler::state::task_manager::JobInfoCache;
use tokio::sync::mpsc::UnboundedSender;

/// Ballista's cluster state, except for the free slots.
pub(super) struct Placement {
    state: Arc<dyn ClusterState>,
    broken: UnboundedSender<JobId>,
}

impl Placement {
    /// Sends jobs that lost an executor to `broken`, possibly more than once.
    pub(super) fn new(state: Arc<dyn ClusterState>, broken: UnboundedSender<JobId>) -> Self {
        Self { state, broken }
    }
}

#[async_trait]
impl ClusterState for Placement {
    /// Called for one scheduler event at a time, so no task starts or ends meanwhile.
    async fn bind_schedulable_tasks(
        &self,
        distribution: TaskDistributionPolicy,
        active_jobs: Arc<HashMap<JobId, JobInfoCache>>,
        executors: Option<HashSet<String>>,
    ) -> Result<Vec<BoundTask>> {
        let (mut taken, mut whole) = (HashMap::new(), HashMap::new());
        for (id, job) in active_jobs.iter() {
            let graph = job.execution_graph.read().await;
            for task in graph.running_tasks() {
                let places = graph.task_vcores(task.stage_id, task.task_id).unwrap_or(1);
                *taken.entry(task.executor_id).or_insert(0) += places;
            }
            if graph.stages().values().any(lost_something) {
                // The receiver is gone when the scheduler shuts down.
                let _ = self.broken.send(id.clone());
            } else {
                whole.insert(id.clone(), job.clone());
            }
        }
        let counted = InMemoryClusterState::default();
        for executor in self.state.registered_executor_metadata().await {
            let total = executor.specification.vcores;
            let data = ExecutorData {
                executor_id: executor.id.clone(),
                total_vcores: total,
                available_vcores: total.saturating_sub(taken.get(&executor.id).copied().unwrap_or(0)),
            };
            counted.register_executor(executor, data).await?;
        }
        counted
            .bind_schedulable_tasks(distribution, Arc::new(whole), executors)
            .await
    }

    /// There is nothing to release, because no slots are stored.
    async fn unbind_tasks(&self, _places: Vec<ExecutorSlot>) -> Result<()> {
        Ok(())
    }

    async fn init(&self) -> Result<()> {
        self.state.init().await
    }

    async fn register_executor(&self, metadata: ExecutorMetadata, data: ExecutorData) -> Result<()> {
        self.state.register_executor(metadata, data).await
    }

    async fn save_executor_metadata(&self, metadata: ExecutorMetadata) -> Result<()> {
        self.state.save_executor_metadata(metadata).await
    }

    async fn get_executor_metadata(&self, executor_id: &str) -> Result<ExecutorMetadata> {
        self.state.get_executor_metadata(executor_id).await
    }

    async fn registered_executor_metadata(&self) -> Vec<ExecutorMetadata> {
        self.state.registered_executor_metadata().await
    }

    async fn save_executor_heartbeat(&self, heartbeat: ExecutorHeartbeat) -> Result<()> {
        self.state.save_executor_heartbeat(heartbeat).await
    }

    async fn remove_executor(&self, executor_id: &str) -> Result<()> {
        self.state.remove_executor(executor_id).await
    }

    fn executor_heartbeats(&self) -> HashMap<String, ExecutorHeartbeat> {
        self.state.executor_heartbeats()
    }

    fn get_executor_heartbeat(&self, executor_id: &str) -> Option<ExecutorHeartbeat> {
        self.state.get_executor_heartbeat(executor_id)
    }

    async fn cluster_state_events(&self) -> Result<ClusterStateEventStream> {
        self.state.cluster_state_events().await
    }
}

/// Whether a stage is running again because shuffles could not be read, or has lost tasks with their executor.
fn lost_something(stage: &ExecutionStage) -> bool {
    let attempt = match stage {
        ExecutionStage::UnResolved(stage) => stage.stage_attempt_num,
        ExecutionStage::Resolved(stage) => stage.stage_attempt_num,
        ExecutionStage::Running(stage) => stage.stage_attempt_num,
        ExecutionStage::Successful(stage) => stage.stage_attempt_num,
        ExecutionStage::Failed(stage) => stage.stage_attempt_num,
    };
    let is_lost = |task: &TaskInfo| match &task.task_status {
        Status::Failed(failed) => matches!(failed.failed_reason, Some(FailedReason::ResultLost(_))),
        _ => false,
    };
    attempt > 0 || stage.task_infos().is_some_and(|tasks| tasks.iter().any(is_lost))
}
