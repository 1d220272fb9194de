//! Which executors have room for tasks, counted anew each time from the tasks that run.
//!
//! Ballista 55.0 keeps a number of free places for each executor, and gives a place back when a task reports its end and
//! its stage still knows it. A stage that is rolled back, as its input lay on an executor that was lost, no longer knows
//! the tasks it had: their places are never given back, and in the end no executor has one. What is counted cannot leak.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use ballista_core::JobId;
use ballista_core::error::Result;
use ballista_core::serde::protobuf::ExecutorHeartbeat;
use ballista_core::serde::scheduler::{ExecutorData, ExecutorMetadata};
use ballista_scheduler::cluster::memory::InMemoryClusterState;
use ballista_scheduler::cluster::{BoundTask, ClusterState, ClusterStateEventStream, ExecutorSlot};
use ballista_scheduler::config::TaskDistributionPolicy;
use ballista_scheduler::state::task_manager::JobInfoCache;

/// Ballista's state of a cluster, but for the places that are free.
pub(super) struct CountedPlaces(pub(super) Arc<dyn ClusterState>);

#[async_trait]
impl ClusterState for CountedPlaces {
    /// Called for one event of the scheduler after the other, so that no task begins or ends meanwhile.
    async fn bind_schedulable_tasks(
        &self,
        distribution: TaskDistributionPolicy,
        active_jobs: Arc<HashMap<JobId, JobInfoCache>>,
        executors: Option<HashSet<String>>,
    ) -> Result<Vec<BoundTask>> {
        let taken = taken(&active_jobs).await;
        let counted = InMemoryClusterState::default();
        for executor in self.0.registered_executor_metadata().await {
            let total = executor.specification.vcores;
            let data = ExecutorData {
                executor_id: executor.id.clone(),
                total_vcores: total,
                available_vcores: total.saturating_sub(taken.get(&executor.id).copied().unwrap_or(0)),
            };
            counted.register_executor(executor, data).await?;
        }
        counted
            .bind_schedulable_tasks(distribution, active_jobs, executors)
            .await
    }

    /// Nothing to give back, as nothing is kept.
    async fn unbind_tasks(&self, _places: Vec<ExecutorSlot>) -> Result<()> {
        Ok(())
    }

    async fn init(&self) -> Result<()> {
        self.0.init().await
    }

    async fn register_executor(&self, metadata: ExecutorMetadata, data: ExecutorData) -> Result<()> {
        self.0.register_executor(metadata, data).await
    }

    async fn save_executor_metadata(&self, metadata: ExecutorMetadata) -> Result<()> {
        self.0.save_executor_metadata(metadata).await
    }

    async fn get_executor_metadata(&self, executor_id: &str) -> Result<ExecutorMetadata> {
        self.0.get_executor_metadata(executor_id).await
    }

    async fn registered_executor_metadata(&self) -> Vec<ExecutorMetadata> {
        self.0.registered_executor_metadata().await
    }

    async fn save_executor_heartbeat(&self, heartbeat: ExecutorHeartbeat) -> Result<()> {
        self.0.save_executor_heartbeat(heartbeat).await
    }

    async fn remove_executor(&self, executor_id: &str) -> Result<()> {
        self.0.remove_executor(executor_id).await
    }

    fn executor_heartbeats(&self) -> HashMap<String, ExecutorHeartbeat> {
        self.0.executor_heartbeats()
    }

    fn get_executor_heartbeat(&self, executor_id: &str) -> Option<ExecutorHeartbeat> {
        self.0.get_executor_heartbeat(executor_id)
    }

    async fn cluster_state_events(&self) -> Result<ClusterStateEventStream> {
        self.0.cluster_state_events().await
    }
}

/// How many places the tasks that run take, by executor.
async fn taken(jobs: &HashMap<JobId, JobInfoCache>) -> HashMap<String, u32> {
    let mut taken = HashMap::new();
    for job in jobs.values() {
        let graph = job.execution_graph.read().await;
        for task in graph.running_tasks() {
            let places = graph.task_vcores(task.stage_id, task.task_id).unwrap_or(1);
            *taken.entry(task.executor_id).or_insert(0) += places;
        }
    }
    taken
}
