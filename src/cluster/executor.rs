//! The process that runs the tasks of a cluster: Ballista's, with the settings in `run`; those not named there have
//! Ballista's defaults. Its tasks share one memory pool (`--memory`).

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use ballista_core::config::TaskSchedulingPolicy;
use ballista_core::registry::BallistaFunctionRegistry;
use ballista_executor::executor_process::{ExecutorProcessConfig, start_executor_process};
use datafusion::execution::context::SessionState;

use super::{ClusterError, Codec, MESSAGE_BYTES, config_producer};

/// How often an executor sends a heartbeat to the scheduler.
const HEARTBEAT_SECONDS: u64 = 5;
/// Any non-zero number makes an executor wait for a scheduler that is not up yet.
const WAIT_FOR_SCHEDULER: u16 = 1;

/// How an executor runs.
#[derive(Debug, Clone)]
pub struct ExecutorOptions {
    /// The scheduler's address, `host:port`.
    pub scheduler: String,
    /// The address to listen on.
    pub bind: IpAddr,
    /// The name under which others reach it.
    pub host: String,
    /// The port for shuffles and the port for the scheduler; 0 picks a free one.
    pub ports: [u16; 2],
    /// How many tasks run in parallel; 0 for one per core.
    pub cores: usize,
    /// The folder for shuffle files.
    pub work_dir: PathBuf,
}

/// Runs an executor until `stop`; `ready` receives its address.
///
/// All its tasks share the memory pool, the spill folder and the stores of `state`.
///
/// # Errors
/// When it cannot listen there, or stops by itself.
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
        // Ballista creates no pool of its own: ours is used.
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
    parts.ok_or_else(|| {
        ClusterError::Settings(format!(
            "`{address}` is not the address of a scheduler\n  help: write HOST:PORT, like 127.0.0.1:50050"
        ))
    })
}

/// The ports, with 0 replaced by free ones: Ballista reports the configured numbers to the scheduler.
fn ports(options: &ExecutorOptions) -> Result<[u16; 2], ClusterError> {
    let mut held = vec![];
    let mut ports = options.ports;
    for port in &mut ports {
        let listener = TcpListener::bind((options.bind, *port)).map_err(|error| {
            ClusterError::Settings(format!(
                "cannot listen on {}:{port}: {error}\n  help: choose other ports with --port and --grpc-port",
                options.bind
            ))
        })?;
        *port = listener.local_addr().map_or(*port, |address| address.port());
        held.push(listener);
    }
    Ok(ports)
}
