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
/// It does the tasks that the scheduler gives it: it reads Kafka and files, computes, and writes data files into the lake, as
/// who it is to them by its own environment. Start it in a copy of the project, with the same target and variables; paths of
/// files and of a lake on a disk have to be the same on all machines. `--memory` is for all its tasks together.
///
/// Whoever reaches its ports can run plans and read what tasks pass on: there are no passwords. It listens on loopback.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  clickrec executor
  clickrec executor --scheduler 10.0.0.5:50050 --bind 10.0.0.6 --trusted-network --memory 24GiB")]
pub(super) struct ExecutorArgs {
    /// The scheduler
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:50050")]
    scheduler: String,

    /// The address to listen at
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    bind: IpAddr,

    /// The name under which others reach it [default: the address of --bind]
    #[arg(long, value_name = "HOST")]
    host: Option<String>,

    /// Listen on an address that is not loopback: everybody in that network may use it
    #[arg(long)]
    trusted_network: bool,

    /// The port for what tasks pass on; 0 takes any that is free
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,

    /// The port for the scheduler; 0 takes any that is free
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    grpc_port: u16,

    /// How many tasks to do side by side [default: the number of cores]
    #[arg(long, value_name = "NUMBER")]
    cores: Option<usize>,

    /// Where to keep what tasks pass on [default: a temporary folder]
    #[arg(long, value_name = "FOLDER")]
    work_dir: Option<PathBuf>,
}

pub(super) async fn run(args: &ExecutorArgs, global: &Global, stop: &CancellationToken) -> anyhow::Result<()> {
    check_trust(args.bind, args.trusted_network, args.host.as_deref())?;
    let (state, codec) = member(global).await?;
    let own = match &args.work_dir {
        Some(folder) => {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
            // Of its own: all that is in its folder is deleted when it ends.
            tempfile::Builder::new().prefix("executor-").tempdir_in(folder)
        }
        None => tempfile::Builder::new().prefix("clickrec-executor-").tempdir(),
    };
    let own = own.context("cannot make a folder for what tasks pass on")?;
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
            eprintln!("executor on {address} of the scheduler on {}", args.scheduler);
        }
    };
    work(&options, &state, codec, ready).await?;
    // Told to end, it has done the tasks that it had.
    if stop.is_cancelled() {
        return Ok(());
    }
    // It ends by itself where the scheduler is gone: whoever watches it should start it again.
    bail!(
        "the scheduler at {} no longer answers\n  help: start the executor again once there is one",
        args.scheduler
    )
}

/// What a process of a cluster knows: our functions, the project's sources, and the lake's store.
pub(super) async fn member(global: &Global) -> anyhow::Result<(SessionState, Codec)> {
    let project = global.project()?;
    let engine = global.engine()?;
    let lake = Lake::new(&project.lake);
    lake.register(engine.runtime())?;
    let session = engine.session(&Bindings::default()).await?;
    Ok((session.state(), Codec::new(&project, &lake)))
}

/// Refuses to listen where strangers may be, unless told that there are none.
pub(super) fn check_trust(address: IpAddr, is_trusted: bool, host: Option<&str>) -> anyhow::Result<()> {
    if address.is_unspecified() && host.is_none() {
        bail!("{address} says nothing to others\n  help: say under which name they reach this machine: --host NAME");
    }
    if address.is_loopback() || is_trusted {
        return Ok(());
    }
    bail!(
        "{address} is not loopback, and a cluster has no passwords: whoever reaches it can read and write what it may\n  \
         help: put it into a private network, and say so with --trusted-network"
    )
}
