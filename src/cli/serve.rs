//! `clickrec serve`: opens the project and the listener, and starts the server.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::global::Global;
use crate::config::Secret;
use crate::pipeline::Runner;
use crate::serve::{Limits, ServeOptions, serve};

/// The server's only secret; never an option, because others could read it in the process list.
const TOKEN: &str = "CLICKREC_TOKEN";

const BIND: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8765);
const MAX_K: u32 = 20;
const RECENT_EVENTS: usize = 1_000_000;
const POLL: Duration = Duration::from_secs(1);

/// Serve the dashboard and the JSON API
///
/// The server follows the lake: it shows new commits within --poll, and switches to new models without a pause. On an
/// address that is not loopback, every client needs the token in CLICKREC_TOKEN; put a proxy with TLS in front.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  clickrec serve
  clickrec serve --target azure --bind 127.0.0.1:9000
  CLICKREC_TOKEN=$(openssl rand -hex 32) clickrec serve --bind 0.0.0.0:8765 --host shop.example
  curl 'http://127.0.0.1:8765/api/v1/sessions/sess_102/recommendations?k=5'
  curl http://127.0.0.1:8765/api/v1/openapi.json")]
pub(super) struct ServeArgs {
    /// The address to listen on
    #[arg(long, default_value_t = BIND, value_name = "ADDRESS")]
    bind: SocketAddr,

    /// A host name that clients use, in addition to the address; repeat the option for several names
    #[arg(long = "host", value_name = "NAME", value_delimiter = ',')]
    hosts: Vec<String>,

    /// Enable POST /api/v1/sql: single statements that read the lake's tables
    #[arg(long)]
    sql: bool,

    /// Maximum length of a list of recommendations
    #[arg(long, default_value_t = MAX_K, value_name = "N", value_parser = clap::value_parser!(u32).range(10..=1_000))]
    max_k: u32,

    /// How many of the newest events to keep in memory, so that requests for their sessions are answered quickly
    #[arg(long, default_value_t = RECENT_EVENTS, value_name = "N")]
    recent_events: usize,

    /// How often to look for new commits
    #[arg(long, default_value = "1s", value_name = "TIME", value_parser = humantime::parse_duration)]
    poll: Duration,
}

impl ServeArgs {
    /// The defaults of all options.
    pub fn plain() -> Self {
        Self {
            bind: BIND,
            hosts: vec![],
            sql: false,
            max_k: MAX_K,
            recent_events: RECENT_EVENTS,
            poll: POLL,
        }
    }
}

pub(super) async fn run(args: &ServeArgs, global: &Global, stop: &CancellationToken) -> anyhow::Result<()> {
    let (_, runner) = global.reader().await?;
    let token = std::env::var(TOKEN).ok().filter(|token| !token.is_empty());
    start(args, runner, token.map(Secret::credential), stop).await
}

/// Serves a project's lake until it receives a stop signal.
pub(super) async fn start(
    args: &ServeArgs,
    runner: Runner,
    token: Option<Secret>,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let mut options = ServeOptions {
        address: args.bind,
        hosts: args.hosts.clone(),
        token,
        sql: args.sql,
        max_k: args.max_k,
        recent_events: args.recent_events,
        poll: args.poll,
        limits: Limits::default(),
    };
    options.check()?;
    let listener = TcpListener::bind(args.bind).await;
    let listener = listener.with_context(|| format!("cannot serve at {}", args.bind))?;
    let address = listener.local_addr()?;
    options.address = address;
    eprintln!("dashboard at http://{address}/, API at http://{address}/api/v1/openapi.json; press Ctrl-C to stop");
    Ok(serve(runner, listener, options, stop.clone()).await?)
}
