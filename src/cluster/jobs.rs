//! The state of a cluster: its executors and jobs, which the scheduler serves as JSON alongside its gRPC services.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{Request, StatusCode};
use axum::routing::get;
use axum::{Json, Router};
use ballista_core::error::BallistaError;
use ballista_core::serde::protobuf::executor_metric::Metric;
use ballista_core::serde::protobuf::job_status::Status;
use ballista_scheduler::cluster::JobStateEvent;
use ballista_scheduler::scheduler_server::SchedulerServer;
use ballista_scheduler::state::task_manager::JobOverview;
use chrono::{DateTime, SecondsFormat, Utc};
use datafusion_proto::protobuf::{LogicalPlanNode, PhysicalPlanNode};
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use tower::ServiceExt;
use utoipa::ToSchema;

use super::{Client, ClusterError};

/// Where a scheduler serves its state.
const PATH: &str = "/cluster";
/// How many finished jobs are remembered.
const ENDED: usize = 50;
/// A running scheduler answers within this time.
const PATIENCE: Duration = Duration::from_secs(3);
/// The maximum size of an answer.
const ANSWER_BYTES: usize = 8 << 20;

/// The executors and the jobs of a cluster.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct ClusterState {
    /// The executors from which the scheduler receives heartbeats.
    pub executors: Vec<ExecutorState>,
    /// The number of jobs waiting to start.
    pub waiting: usize,
    /// Running jobs, then finished ones, newest first.
    pub jobs: Vec<JobState>,
}

/// An executor.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ExecutorState {
    /// `host:port`.
    pub address: String,
    /// The number of tasks that the executor runs in parallel.
    pub cores: u32,
    /// The time of the executor's last heartbeat.
    pub heard_at: Option<String>,
    /// The executor's peak memory, if it reports it.
    pub peak_memory_bytes: Option<u64>,
}

/// The state of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobOutcome {
    /// Not started yet.
    Queued,
    /// Executors are running its tasks.
    Running,
    /// All its tasks are done.
    Done,
    /// The job failed; the run that submitted it reports the reason.
    Failed,
}

/// A job: one plan of a step.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct JobState {
    /// Ballista's ID of the job, as in the logs.
    pub id: String,
    /// The step that the job is part of.
    pub step: String,
    /// The job's state.
    pub outcome: JobOutcome,
    /// When the job started.
    pub started_at: Option<String>,
    /// How long the job took, or has taken so far.
    pub seconds: Option<f64>,
    /// The number of stages, while the job is running.
    pub stages: Option<usize>,
    /// The number of finished stages, while the job is running.
    pub stages_done: Option<usize>,
}

type Server = SchedulerServer<LogicalPlanNode, PhysicalPlanNode>;
type Ended = Arc<Mutex<VecDeque<JobState>>>;

/// The scheduler's route that serves its state. Remembers jobs from now on.
pub(super) async fn routes(scheduler: &Server) -> Result<Router, BallistaError> {
    let ended = Ended::default();
    let mut events = scheduler.job_state_events().await?;
    let seen = ended.clone();
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            if let JobStateEvent::JobUpdated { status, .. } = event
                && let Some(job) = JobState::ended(status.job_id, status.job_name, status.status)
            {
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.push_front(job);
                seen.truncate(ENDED);
            }
        }
    });
    Ok(Router::new()
        .route(PATH, get(told))
        .with_state((scheduler.clone(), ended)))
}

async fn told(State((scheduler, ended)): State<(Server, Ended)>) -> Result<Json<ClusterState>, StatusCode> {
    let state = state(&scheduler, &ended).await;
    state.map(Json).map_err(|error| {
        tracing::warn!(%error, "cannot report the state of the cluster");
        StatusCode::INTERNAL_SERVER_ERROR
    })
}

async fn state(scheduler: &Server, ended: &Ended) -> Result<ClusterState, BallistaError> {
    let executors = scheduler.state.executor_manager.get_executors_state().await?;
    let executors = executors.into_iter().map(|(executor, heard, metrics)| ExecutorState {
        address: format!("{}:{}", executor.host, executor.port),
        cores: executor.specification.vcores,
        heard_at: heard.and_then(|since| moment(u64::try_from(since.as_millis()).ok()?)),
        peak_memory_bytes: metrics.into_iter().find_map(|metric| match metric.metric? {
            Metric::PeakPhysicalMemory(bytes) if bytes > 0 => Some(bytes),
            _ => None,
        }),
    });
    let mut jobs = vec![];
    // Not `get_running_jobs`, which returns the finished ones.
    for job in scheduler.state.task_manager.get_running_job_cache().values() {
        let graph = job.execution_graph.read().await;
        jobs.push(JobState::from(JobOverview::from(&*graph)));
    }
    jobs.sort_by(|a, b| b.started_at.cmp(&a.started_at));
    let ended = ended.lock().unwrap_or_else(PoisonError::into_inner);
    jobs.extend(ended.iter().cloned());
    Ok(ClusterState {
        executors: executors.collect(),
        waiting: scheduler.pending_job_number(),
        jobs,
    })
}

impl JobState {
    /// A finished job; `None` if it has not finished.
    fn ended(id: String, step: String, status: Option<Status>) -> Option<Self> {
        let (outcome, started_at, ended_at) = match status? {
            Status::Successful(job) => (JobOutcome::Done, job.started_at, job.ended_at),
            Status::Failed(job) => (JobOutcome::Failed, job.started_at, job.ended_at),
            Status::Queued(_) | Status::Running(_) => return None,
        };
        Some(Self {
            id,
            step,
            outcome,
            started_at: moment(started_at),
            seconds: seconds(started_at, ended_at),
            stages: None,
            stages_done: None,
        })
    }
}

impl From<JobOverview> for JobState {
    fn from(job: JobOverview) -> Self {
        let outcome = match job.status.status {
            Some(Status::Successful(_)) => JobOutcome::Done,
            Some(Status::Failed(_)) => JobOutcome::Failed,
            Some(Status::Running(_)) => JobOutcome::Running,
            Some(Status::Queued(_)) | None => JobOutcome::Queued,
        };
        let now = u64::try_from(Utc::now().timestamp_millis()).unwrap_or_default();
        Self {
            id: job.job_id.to_string(),
            step: job.job_name,
            outcome,
            started_at: moment(job.start_time),
            seconds: seconds(job.start_time, if job.end_time == 0 { now } else { job.end_time }),
            stages: Some(job.num_stages),
            stages_done: Some(job.completed_stages),
        }
    }
}

/// Milliseconds since 1970 as RFC 3339; 0 means no time.
fn moment(millis: u64) -> Option<String> {
    let at = DateTime::from_timestamp_millis(i64::try_from(millis).ok().filter(|millis| *millis > 0)?)?;
    Some(at.to_rfc3339_opts(SecondsFormat::Millis, true))
}

fn seconds(from_millis: u64, to_millis: u64) -> Option<f64> {
    (from_millis > 0).then(|| to_millis.saturating_sub(from_millis) as f64 / 1e3)
}

impl Client {
    /// The state of the cluster.
    ///
    /// # Errors
    /// When the scheduler does not answer, or has another version.
    pub async fn state(&self) -> Result<ClusterState, ClusterError> {
        let asked = async {
            let channel = self.connect(&ballista_core::utils::GrpcClientConfig::default()).await?;
            let request = Request::get(PATH).body(tonic::body::Body::empty());
            let request = request.map_err(|error| self.unreachable(error))?;
            let answer = channel
                .oneshot(request)
                .await
                .map_err(|error| self.unreachable(error))?;
            if answer.status() != StatusCode::OK {
                return Err(self.unreadable(format!("its status is {}", answer.status())));
            }
            let body = to_bytes(Body::new(answer.into_body()), ANSWER_BYTES).await;
            let body = body.map_err(|error| self.unreachable(error))?;
            serde_json::from_slice(&body).map_err(|error| self.unreadable(error))
        };
        match timeout(PATIENCE, asked).await {
            Ok(told) => told,
            Err(_) => Err(self.unreachable(format!("no reply within {} s", PATIENCE.as_secs()))),
        }
    }
}
