//! `clickrec scheduler`: starts the scheduler of a cluster (`cluster/scheduler.rs` runs it).

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;

use super::global::Global;
use crate::cluster::scheduler::{SchedulerOptions, run as serve};

/// Start the scheduler of a cluster
///
/// The scheduler plans the stages of a step and assigns the tasks to executors (`clickrec executor`). To run steps on
/// the cluster, use `clickrec run --engine df://HOST:PORT`, or `engine` in the project file. All processes of a cluster
/// use the same project and the same version of clickrec.
///
/// There are no passwords: whoever can reach the scheduler's port can run plans with the permissions of its executors.
/// By default, the scheduler listens on loopback only. With --bind, give it an address on a private network, never a
/// public one.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  clickrec scheduler
  clickrec scheduler --bind 10.0.0.5:50050 --trusted-network")]
pub(super) struct SchedulerArgs {
    /// The address to listen on; port 0 selects any free port
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:50050")]
    bind: SocketAddr,

    /// The name by which executors reach the scheduler [default: the address of --bind]
    #[arg(long, value_name = "HOST")]
    host: Option<String>,

    /// Allow listening on a non-loopback address: everyone on that network can use the cluster
    #[arg(long)]
    trusted_network: bool,

    /// Treat an executor as lost when it has sent no heartbeat for this long
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "30s")]
    executor_timeout: Duration,
}

pub(super) async fn run(args: &SchedulerArgs, global: &Global) -> anyhow::Result<()> {
    super::executor::check_trust(args.bind.ip(), args.trusted_network, args.host.as_deref())?;
    let (state, codec) = super::executor::member(global).await?;
    let options = SchedulerOptions {
        bind: args.bind,
        host: args.host.clone().unwrap_or_else(|| args.bind.ip().to_string()),
        executor_timeout: args.executor_timeout,
    };
    let quiet = global.quiet;
    let ready = |address: SocketAddr| {
        if !quiet {
            eprintln!("scheduler on {address}\n  next: clickrec executor --scheduler {address}");
        }
    };
    Ok(serve(&options, &state, codec, ready).await?)
}
