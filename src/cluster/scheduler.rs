//! The process that plans stages and assigns tasks to executors: Ballista's, with the settings in `config`; those not
//! named there have Ballista's defaults. An executor is lost after `--executor-timeout` without a heartbeat.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ballista_core::JobId;
use ballista_core::config::TaskSchedulingPolicy;
use ballista_core::serde::protobuf::scheduler_grpc_server::SchedulerGrpcServer;
use ballista_scheduler::cluster::BallistaCluster;
use ballista_scheduler::config::{SchedulerConfig, TaskDistributionPolicy};
use ballista_scheduler::scheduler_process::create_scheduler;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::context::SessionState;
use datafusion::prelude::SessionConfig;
use datafusion_proto::protobuf::{LogicalPlanNode, PhysicalPlanNode};
use tokio::net::TcpListener;
use tokio::sync::mpsc::unbounded_channel;
use tonic::service::Routes;

use super::placement::Placement;
use super::{ClusterError, Codec, MESSAGE_BYTES, config_producer, jobs};

/// How long an executor may take to drain its tasks.
const DRAIN: Duration = Duration::from_secs(600);
/// How long the state of finished jobs is kept for inspection.
const JOBS_KEPT: Duration = Duration::from_secs(600);

/// How a scheduler runs.
#[derive(Debug, Clone)]
pub struct SchedulerOptions {
    /// The address to listen on; port 0 picks a free one.
    pub bind: SocketAddr,
    /// The name under which executors reach it.
    pub host: String,
    /// An executor without a heartbeat for this long is considered lost.
    pub executor_timeout: Duration,
}

/// Runs a scheduler until the process ends; `ready` receives its address.
///
/// # Errors
/// When it cannot listen there.
pub async fn run(
    options: &SchedulerOptions,
    state: &SessionState,
    codec: Codec,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), ClusterError> {
    let failed = |reason: String| ClusterError::Process {
        what: "the scheduler",
        reason,
    };
    let listener = TcpListener::bind(options.bind).await;
    let listener = listener.map_err(|error| {
        ClusterError::Settings(format!(
            "cannot listen on {}: {error}\n  help: choose another address with --bind HOST:PORT",
            options.bind
        ))
    })?;
    let address = listener.local_addr().map_err(|error| failed(error.to_string()))?;
    let config = config(options, address, state, codec);
    config.validate().map_err(|error| failed(error.to_string()))?;
    let cluster = BallistaCluster::new_from_config(&config).await;
    let cluster = cluster.map_err(|error| failed(error.to_string()))?;
    let (broken, mut broken_jobs) = unbounded_channel::<JobId>();
    let placement = Placement::new(cluster.cluster_state(), broken);
    let cluster = BallistaCluster::new(Arc::new(placement), cluster.job_state());
    let scheduler = create_scheduler::<LogicalPlanNode, PhysicalPlanNode>(cluster, Arc::new(config)).await;
    let scheduler = scheduler.map_err(|error| failed(error.to_string()))?;
    let canceler = scheduler.clone();
    tokio::spawn(async move {
        while let Some(job) = broken_jobs.recv().await {
            tracing::warn!(%job, "canceling a job that lost tasks or shuffle files; its client will retry it");
            if let Err(error) = canceler.cancel_job(job.clone()).await {
                tracing::error!(%job, %error, "cannot cancel the job");
            }
        }
    });
    // Ballista's service, plus our own page.
    let told = jobs::routes(&scheduler).await;
    let told = told.map_err(|error| failed(error.to_string()))?;
    let service = SchedulerGrpcServer::new(scheduler)
        .max_encoding_message_size(MESSAGE_BYTES)
        .max_decoding_message_size(MESSAGE_BYTES);
    let routes = Routes::new(service).into_axum_router().merge(told);
    ready(address);
    let served = axum::serve(listener, routes.into_make_service_with_connect_info::<SocketAddr>()).await;
    served.map_err(|error| failed(error.to_string()))
}

fn config(options: &SchedulerOptions, address: SocketAddr, state: &SessionState, codec: Codec) -> SchedulerConfig {
    let message = u32::try_from(MESSAGE_BYTES).unwrap_or(u32::MAX);
    let timeout = options.executor_timeout.as_secs().max(1);
    let state = state.clone();
    SchedulerConfig {
        bind_host: address.ip().to_string(),
        bind_port: address.port(),
        external_host: options.host.clone(),
        scheduling_policy: TaskSchedulingPolicy::PushStaged,
        task_distribution: TaskDistributionPolicy::RoundRobin,
        executor_termination_grace_period: DRAIN.as_secs(),
        finished_job_state_clean_up_interval_seconds: JOBS_KEPT.as_secs(),
        executor_timeout_seconds: timeout,
        expire_dead_executor_interval_seconds: timeout.div_ceil(4),
        no_executors_grace_period_seconds: timeout * 2,
        grpc_server_max_decoding_message_size: message,
        grpc_server_max_encoding_message_size: message,
        grpc_client_max_message_size: message,
        override_config_producer: Some(config_producer()),
        // Called once per job: plans are decoded with our functions and the lake's store.
        override_session_builder: Some(Arc::new(move |config: SessionConfig| {
            Ok(SessionStateBuilder::new_from_existing(state.clone())
                .with_config(config)
                .build())
        })),
        override_physical_codec: Some(Arc::new(codec)),
        ..SchedulerConfig::default()
    }
}
