//! `clickrec executor`: starts an executor of a cluster; refuses to listen beyond loopback without `--trusted-network`
//! (`cluster/executor.rs` runs it).

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use datafusion::execution::context::SessionState;
use tokio_util::sync::CancellationToken;

use super::global::Global;
use crate::cluster::Codec;
use crate::cluster::executor::{ExecutorOptions, run as work};
use crate::engine::Bindings;
use crate::lake::Lake;

/// Start an executor of a cluster
///
/// An executor runs the tasks that the scheduler assigns to it: it reads Kafka and files, computes, and writes data
/// files into the lake, with the credentials of its own environment. Start it in a copy of the project, with the same
/// target and variables. Paths of files, and of a lake on disk, must be the same on all machines. All tasks of an
/// executor share `--memory`.
///
/// There are no passwords: whoever can reach an executor's ports can run plans and read the data that tasks exchange.
/// By default, an executor listens on loopback only.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  clickrec executor
  clickrec executor --scheduler 10.0.0.5:50050 --bind 10.0.0.6 --trusted-network --memory 24GiB")]
pub(super) struct ExecutorArgs {
    /// The address of the scheduler
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:50050")]
    scheduler: String,

    /// The address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    bind: IpAddr,

    /// The name by which other machines reach the executor [default: the address of --bind]
    #[arg(long, value_name = "HOST")]
    host: Option<String>,

    /// Allow listening on a non-loopback address: everyone on that network can use the executor
    #[arg(long)]
    trusted_network: bool,

    /// The port for the data that tasks exchange; 0 selects any free port
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,

    /// The port on which the scheduler reaches the executor; 0 selects any free port
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    grpc_port: u16,

    /// Number of tasks to run in parallel [default: the number of cores]
    #[arg(long, value_name = "NUMBER")]
    cores: Option<usize>,

    /// The folder for the data that tasks exchange [default: a temporary folder]
    #[arg(long, value_name = "FOLDER")]
    work_dir: Option<PathBuf>,
}

pub(super) async fn run(args: &ExecutorArgs, global: &Global, stop: &CancellationToken) -> anyhow::Result<()> {
    check_trust(args.bind, args.trusted_network, args.host.as_deref())?;
    let (state, codec) = member(global).await?;
    let own = match &args.work_dir {
        Some(folder) => {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
            // A folder of its own: the executor deletes its content when it ends.
            tempfile::Builder::new().prefix("executor-").tempdir_in(folder)
        }
        None => tempfile::Builder::new().prefix("clickrec-executor-").tempdir(),
    };
    let own = own.context("cannot create a folder for the data that tasks exchange")?;
    let options = ExecutorOptions {
        scheduler: args.scheduler.clone(),
        bind: args.bind,
        host: args.host.clone().unwrap_or_else(|| args.bind.to_string()),
        ports: [args.port, args.grpc_port],
        cores: args.cores.unwrap_or_default(),
        work_dir: own.path().to_owned(),
    };
    let quiet = global.quiet;
    let ready = |address: SocketAddr| {
        if !quiet {
            eprintln!("executor on {address} for the scheduler at {}", args.scheduler);
        }
    };
    work(&options, &state, codec, ready).await?;
    // On a stop signal, it ends after its current tasks.
    if stop.is_cancelled() {
        return Ok(());
    }
    // It also ends if the scheduler is gone: its supervisor should restart it.
    bail!(
        "the scheduler at {} no longer responds\n  help: start the executor again once the scheduler is running",
        args.scheduler
    )
}

/// What a cluster process needs: our functions, the project's sources, and the lake's store.
pub(super) async fn member(global: &Global) -> anyhow::Result<(SessionState, Codec)> {
    let project = global.project()?;
    let engine = global.engine()?.with_schemas(project.schemas());
    let lake = Lake::new(&project.lake);
    lake.register(engine.runtime())?;
    let session = engine.session(&Bindings::default()).await?;
    Ok((session.state(), Codec::new(&project, &lake)))
}

/// Refuses to listen on a network that may have strangers in it, unless the user has declared it trusted.
pub(super) fn check_trust(address: IpAddr, is_trusted: bool, host: Option<&str>) -> anyhow::Result<()> {
    if address.is_unspecified() && host.is_none() {
        bail!(
            "other machines cannot connect to {address}\n  help: pass the name by which they reach this one: --host NAME"
        );
    }
    if address.is_loopback() || is_trusted {
        return Ok(());
    }
    bail!(
        "{address} is not a loopback address, and a cluster has no passwords: whoever can reach the address can act \
         with the cluster's permissions\n  help: use a private network, and confirm that with --trusted-network"
    )
}
