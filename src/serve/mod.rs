//! The dashboard and the JSON API: one HTTP server over the lake, which follows what runs write there.
//!
//! ```text
//! listen ─► guard ─► api ─┬─► recommendations ─┬─► clicks (newest events, in memory), or the snapshot for older ones
//!                         │                    └─► answers (batches) ─► statements (the recommender's SQL, planned once)
//!                         └─► all other answers ─► panels (queries) ─► snapshot (a session over one version of each table)
//!                                    │
//!                                  shop: the state that all of them share, and the cached answers
//!                                    ▲
//!                                  watch: swaps in snapshots, clicks and statements as commits land
//! ```
//!
//! A request never waits for a new version of the lake: in the background, `watch` opens tables and plans and warms up
//! statements, and swaps them in when they are ready.
//!
//! - `shop`: the state shared by all requests; `snapshot`: one version of each table; `clicks`: the newest events, by
//!   session; `statements`: the recommendation statement, planned over a snapshot.
//! - `watch`: follows the lake, and replaces these.
//! - `listen`: accepts connections; `guard`: checks every request; `options`, `limits`: the settings of a server, and
//!   what it allows at most; `assets`: the page.
//! - `api`: the routes, a file per topic. `api/recommendations` asks the `answer_cache`, or finds a session's events
//!   and calls `answers`, which runs the statement once for several requests; others run a query of `panels`.
//!   `api/commit_stream` reports new commits.

mod answer_cache;
mod answers;
#[allow(unused_qualifications, reason = "utoipa's macros name types so")]
mod api;
mod assets;
mod clicks;
mod error;
mod guard;
mod limits;
mod listen;
mod newest_parts;
mod options;
mod panels;
mod shop;
mod snapshot;
mod statements;
mod watch;

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::pipeline::Runner;

pub use api::openapi;
pub use error::ServeError;
pub use limits::Limits;
pub use options::ServeOptions;

/// Serves until it receives a stop signal, then lets active requests finish.
///
/// # Errors
/// As [`ServeOptions::check`], or when the lake cannot be read at all.
pub async fn serve(
    runner: Runner,
    listener: TcpListener,
    options: ServeOptions,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    options.check()?;
    let shop = Arc::new(shop::Shop::open(runner, options, stop.clone()).await?);
    if let Some(lacking) = shop.lacks() {
        tracing::warn!("serving everything except recommendations: {lacking}");
    }
    let routes = guard::around(api::routes(&shop), &shop);
    // A separate task, so that its work blocks no connection. It ends with the set.
    let mut background = JoinSet::new();
    background.spawn(watch::run(shop.clone()));
    listen::accept(listener, routes, &shop.options.limits, stop).await;
    Ok(())
}
