//! The process that does the tasks of a cluster.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use ballista_core::config::TaskSchedulingPolicy;
use ballista_core::registry::BallistaFunctionRegistry;
use ballista_executor::executor_process::{ExecutorProcessConfig, start_executor_process};
use datafusion::execution::context::SessionState;

use super::{ClusterError, Codec, MESSAGE_BYTES, config_producer};

/// How often the scheduler hears of an executor.
const HEARTBEAT_SECONDS: u64 = 5;
/// Any number but none: it waits for a scheduler that is not there yet.
const WAIT_FOR_SCHEDULER: u16 = 1;

/// How an executor runs.
#[derive(Debug, Clone)]
pub struct ExecutorOptions {
    /// The scheduler, `host:port`.
    pub scheduler: String,
    /// The address it listens at.
    pub bind: IpAddr,
    /// Under which name others reach it.
    pub host: String,
    /// The port for shuffles, and the one for the scheduler; 0 takes any that is free.
    pub ports: [u16; 2],
    /// How many tasks it does side by side; 0 for one a core.
    pub cores: usize,
    /// Where shuffles lie.
    pub work_dir: PathBuf,
}

/// Runs an executor until it is told to end; `ready` is told its address.
///
/// All its tasks share the memory pool, the spill folder and the stores of `state`.
///
/// # Errors
/// When it cannot listen there, or it ended by itself.
pub async fn run(
    options: &ExecutorOptions,
    state: &SessionState,
    codec: Codec,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), ClusterError> {
    let (scheduler_host, scheduler_port) = host_and_port(&options.scheduler)?;
    let [port, grpc_port] = ports(options)?;
    let message = u32::try_from(MESSAGE_BYTES).unwrap_or(u32::MAX);
    let runtime = state.runtime_env().clone();
    let cores = match options.cores {
        0 => ExecutorProcessConfig::default().vcores,
        cores => cores,
    };
    let config = ExecutorProcessConfig {
        bind_host: options.bind.to_string(),
        external_host: Some(options.host.clone()),
        port,
        grpc_port,
        scheduler_host,
        scheduler_port,
        scheduler_connect_timeout_seconds: WAIT_FOR_SCHEDULER,
        vcores: cores,
        task_scheduling_policy: TaskSchedulingPolicy::PushStaged,
        work_dir: Some(options.work_dir.display().to_string()),
        grpc_max_decoding_message_size: message,
        grpc_max_encoding_message_size: message,
        executor_heartbeat_interval_seconds: HEARTBEAT_SECONDS,
        // None of its own: the pool is ours.
        memory_pool_size: Some(0),
        override_function_registry: Some(Arc::new(BallistaFunctionRegistry::from(state))),
        override_runtime_producer: Some(Arc::new(move |_| Ok(runtime.clone()))),
        override_config_producer: Some(config_producer()),
        override_physical_codec: Some(Arc::new(codec)),
        ..ExecutorProcessConfig::default()
    };
    ready(SocketAddr::new(options.bind, port));
    let ended = start_executor_process(Arc::new(config)).await;
    ended.map_err(|error| ClusterError::Process {
        what: "the executor",
        reason: error.to_string(),
    })
}

fn host_and_port(address: &str) -> Result<(String, u16), ClusterError> {
    let parts = address.rsplit_once(':');
    let parts = parts.and_then(|(host, port)| Some((host.to_owned(), port.parse().ok()?)));
    parts.ok_or_else(|| ClusterError::Settings(format!("`{address}` is no HOST:PORT of a scheduler")))
}

/// The ports, with free ones for 0: Ballista tells the scheduler the numbers it was given.
fn ports(options: &ExecutorOptions) -> Result<[u16; 2], ClusterError> {
    let mut held = vec![];
    let mut ports = options.ports;
    for port in &mut ports {
        let listener = TcpListener::bind((options.bind, *port)).map_err(|error| {
            ClusterError::Settings(format!(
                "cannot listen on {}:{port}: {error}\n  help: choose others with --port and --grpc-port",
                options.bind
            ))
        })?;
        *port = listener.local_addr().map_or(*port, |address| address.port());
        held.push(listener);
    }
    Ok(ports)
}
