//! What `run --follow` shows: a status line on a terminal, JSON lines otherwise. The loop itself is `pipeline/follow`.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::Context;
use chrono::{SecondsFormat, Utc};
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use serde::Serialize;
use tokio::net::TcpListener;

use super::exit::with_causes;
use super::global::Global;
use super::metrics;
use super::output::write_all;
use super::step_result::StepResult;
use crate::pipeline::follow::{FollowEvent, Follower, Health, Snapshot, Status};
use crate::plural::counted;

const REDRAW: Duration = Duration::from_millis(250);
/// How many partitions the status line names: those with the largest lag.
const PARTITIONS_SHOWN: usize = 4;

/// Follows the sources and shows the progress, until it ends.
pub(super) async fn run(
    follower: &Follower<'_>,
    metrics: Option<SocketAddr>,
    json: bool,
    global: &Global,
) -> anyhow::Result<()> {
    let listener = match metrics {
        Some(address) => Some(listen(address).await?),
        None => None,
    };
    let status = follower.status();
    let line = StatusLine::new(!json && global.progress() && std::io::stdout().is_terminal());
    let failed = Mutex::new(None);
    let on_event = |event: FollowEvent<'_>| {
        if let Err(error) = line.print(&event, global.quiet)
            && let Ok(mut failed) = failed.lock()
        {
            *failed = Some(error);
        }
    };
    let ended = tokio::select! {
        ended = follower.run(&on_event) => ended.map_err(anyhow::Error::from),
        served = metrics::serve(listener, status.clone()) => served,
        () = line.redraw(status) => Ok(()),
    };
    line.bar.finish_and_clear();
    ended?;
    match failed.into_inner() {
        Ok(Some(error)) => Err(error),
        _ => Ok(()),
    }
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).await;
    let listener = listener.with_context(|| format!("cannot serve metrics at {address}"))?;
    eprintln!(
        "metrics at http://{}/metrics, health at /health",
        listener.local_addr()?
    );
    Ok(listener)
}

/// One line of JSON.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line<'a> {
    Batch {
        at: String,
        steps: Vec<StepResult>,
        #[serde(flatten)]
        status: &'a Snapshot,
    },
    Scheduled {
        at: String,
        #[serde(flatten)]
        step: Box<StepResult>,
    },
    Failed {
        at: String,
        error: String,
        retry_in_seconds: u64,
    },
}

impl<'a> From<&'a FollowEvent<'_>> for Line<'a> {
    fn from(event: &'a FollowEvent<'_>) -> Self {
        let at = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
        match event {
            FollowEvent::Batch { outcomes, status } => Self::Batch {
                at,
                steps: outcomes.iter().map(StepResult::from).collect(),
                status,
            },
            FollowEvent::Scheduled(outcome) => Self::Scheduled {
                at,
                step: Box::new(StepResult::from(*outcome)),
            },
            FollowEvent::Failed { error, pause } => Self::Failed {
                at,
                error: with_causes(*error),
                retry_in_seconds: pause.as_secs(),
            },
        }
    }
}

struct StatusLine {
    bar: ProgressBar,
    is_drawn: bool,
}

impl StatusLine {
    fn new(is_drawn: bool) -> Self {
        let bar = if is_drawn {
            ProgressBar::new_spinner()
        } else {
            ProgressBar::hidden()
        };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
            bar.set_style(style);
        }
        Self { bar, is_drawn }
    }

    fn print(&self, event: &FollowEvent<'_>, quiet: bool) -> anyhow::Result<()> {
        if !self.is_drawn {
            return write_all(&format!("{}\n", serde_json::to_string(&Line::from(event))?));
        }
        if quiet {
            return Ok(());
        }
        match event {
            FollowEvent::Batch { .. } => {}
            FollowEvent::Scheduled(outcome) => self.bar.println(format!(
                "{:<22} done    {} written, {:.1} s",
                outcome.step.to_string(),
                counted(outcome.written, "row", "rows"),
                outcome.took.as_secs_f64()
            )),
            FollowEvent::Failed { error, pause } => self.bar.println(format!(
                "failed: {}\n  retrying in {} s",
                with_causes(*error),
                pause.as_secs()
            )),
        }
        Ok(())
    }

    /// Keeps the status line up to date, forever.
    async fn redraw(&self, status: &Status) {
        loop {
            if self.is_drawn {
                self.bar.set_message(line(&status.snapshot(), &status.health()));
                self.bar.tick();
            }
            tokio::time::sleep(REDRAW).await;
        }
    }
}

fn line(now: &Snapshot, health: &Health) -> String {
    let mut lags: Vec<(u64, &str)> = now
        .lag
        .values()
        .flatten()
        .map(|(place, lag)| (*lag, place.as_str()))
        .filter(|(lag, _)| *lag > 0)
        .collect();
    lags.sort_by(|a, b| b.cmp(a));
    let named = lags
        .iter()
        .take(PARTITIONS_SHOWN)
        .map(|(lag, place)| format!("{place} {}", HumanCount(*lag)));
    let mut parts = vec![
        format!("{}/s", HumanCount(now.rate as u64)),
        format!("lag {}", HumanCount(now.waiting())),
    ];
    let named = named.collect::<Vec<_>>().join(", ");
    if !named.is_empty() {
        parts.push(named);
    }
    let newest = now
        .tables
        .iter()
        .filter_map(|(name, table)| Some((table.committed?, name, table.version?)));
    if let Some((at, name, version)) = newest.max_by(|a, b| a.0.total_cmp(&b.0)) {
        let ago = Utc::now().timestamp_millis() as f64 / 1_000.0 - at;
        parts.push(format!("{name} version {version} {ago:.0} s ago"));
    }
    parts.push(format!("{} repeated", HumanCount(now.repeated)));
    parts.push(format!("{} quarantined", HumanCount(now.quarantined)));
    if let Health::Bad(reason) = health {
        parts.push(format!("UNHEALTHY: {reason}"));
    }
    parts.join(" | ")
}
