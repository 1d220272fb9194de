use std::net::SocketAddr;

use chrono::DateTime;
use clap::Args;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::exit::told;
use super::follow;
use super::global::Global;
use super::output::{table, thousands, write_all};
use super::progress::Progress;
use crate::pipeline::follow::{FollowOptions, Follower};
use crate::pipeline::{Decision, Outcome, RunOptions, Runner};
use crate::source::{OnLoss, ReadOptions};

/// What the key filters may take of the memory limit: one part of so many.
const KEY_FILTERS_SHARE: u64 = 8;

/// Run a pipeline, once or for ever: every step reads what is new and commits it
///
/// A step is one Delta commit that carries its rows and how far its inputs were read, so a run can be stopped at any
/// moment and repeated at will.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  clickrec run                                        all that is new, through every step
  clickrec run --target kafka                         the same from Kafka
  clickrec run --target kafka --follow                for ever, batch after batch; SIGTERM ends it after its step
  clickrec run --select gold.session_items+           one step and those after it
  clickrec run --full-refresh --select silver.events+ rebuild tables from Bronze
  clickrec run --from-timestamp 2025-07-13T00:00:00Z  into a new lake, what came since then")]
pub(super) struct RunArgs {
    /// The pipeline, where the project has several
    pipeline: Option<String>,

    /// Only these steps; `STEP+` takes those after it too
    #[arg(long, value_name = "STEP[+]", num_args = 1.., value_delimiter = ',')]
    select: Vec<String>,

    /// Rebuild the tables from all their input; steps that read a source only where selected by name
    #[arg(long)]
    full_refresh: bool,

    /// Go on where a source has lost records that were not read yet (expired, topic made anew, file replaced)
    #[arg(long)]
    accept_loss: bool,

    /// Start a source that was not read yet with the first record of this time or later, RFC 3339; a table that has its
    /// records already is replaced only with --full-refresh and its step selected by name
    #[arg(long, value_name = "TIME", value_parser = time)]
    from_timestamp: Option<i64>,

    /// Go on for ever: a batch whenever the pipeline's `trigger` says so, steps with `every` beside them
    #[arg(long, conflicts_with = "full_refresh")]
    follow: bool,

    /// With --follow: end once nothing waits any more
    #[arg(long, requires = "follow")]
    once: bool,

    /// With --follow: serve Prometheus metrics and /health here, like 127.0.0.1:9464
    #[arg(long, requires = "follow", value_name = "ADDRESS")]
    metrics: Option<SocketAddr>,

    /// Print the outcome as JSON; with --follow, a line for each batch
    #[arg(long)]
    json: bool,
}

impl RunArgs {
    /// Whether it ends by itself only when it is told to.
    pub fn follows(&self) -> bool {
        self.follow
    }
}

/// Milliseconds since 1970.
fn time(text: &str) -> Result<i64, String> {
    DateTime::parse_from_rfc3339(text)
        .map(|at| at.timestamp_millis())
        .map_err(|_| "expected a time like 2025-07-13T00:00:00Z".to_owned())
}

pub(super) async fn run(args: &RunArgs, global: &Global, stop: &CancellationToken) -> anyhow::Result<()> {
    let (project, runner) = global.runner().await?;
    let pipeline = project.pipeline(args.pipeline.as_deref())?;
    let options = RunOptions {
        select: args.select.clone(),
        cold: false,
        full_refresh: args.full_refresh,
        read: ReadOptions {
            on_loss: if args.accept_loss {
                OnLoss::Accept
            } else {
                OnLoss::Refuse
            },
            from_timestamp_millis: args.from_timestamp,
            ..ReadOptions::default()
        },
    };
    if args.follow {
        let options = FollowOptions {
            run: options,
            once: args.once,
        };
        let runner = runner.with_memory(global.memory.as_u64() / KEY_FILTERS_SHARE);
        let follower = Follower::new(&runner, pipeline, options, stop.clone())?;
        return follow::run(&follower, args.metrics, args.json, global).await;
    }
    let mut progress = Progress::new(global.quiet, global.progress());
    let outcomes = runner
        .run_once(pipeline, &options, &mut |event| progress.event(&event))
        .await?;
    maintain(&runner, &outcomes).await;
    print(&outcomes, args.json)
}

/// Does what is due for the tables that were written. What cannot be done is done after a later run.
async fn maintain(runner: &Runner, outcomes: &[Outcome]) {
    let written = outcomes.iter().filter(|outcome| outcome.version.is_some());
    for node in written.filter_map(|outcome| runner.dag().get(&outcome.step)) {
        match runner.maintain(node).await {
            Ok(done) => tracing::info!(table = %node.name(), ?done, "maintained"),
            Err(error) => tracing::warn!(table = %node.name(), error = told(&error), "not maintained"),
        }
    }
}

/// Prints what every step did.
pub(super) fn print(outcomes: &[Outcome], json: bool) -> anyhow::Result<()> {
    if json {
        let rows: Vec<Row> = outcomes.iter().map(Row::from).collect();
        return write_all(&format!("{}\n", serde_json::to_string_pretty(&rows)?));
    }
    let mut summary = table(["step", "result", "read", "written", "quarantined", "version", "seconds"]);
    for outcome in outcomes {
        let (written, quarantined) = if outcome.is_quarantine() {
            (0, outcome.written)
        } else {
            (outcome.written, 0)
        };
        summary.add_row([
            outcome.step.to_string(),
            result(&outcome.decision).to_owned(),
            thousands(outcome.read),
            thousands(written),
            thousands(quarantined),
            outcome
                .version
                .map_or_else(|| "-".to_owned(), |version| version.to_string()),
            format!("{:.2}", outcome.took.as_secs_f64()),
        ]);
    }
    for column in 2..7 {
        if let Some(column) = summary.column_mut(column) {
            column.set_cell_alignment(comfy_table::CellAlignment::Right);
        }
    }
    write_all(&format!("{summary}\n"))
}

fn result(decision: &Decision) -> &'static str {
    match decision {
        Decision::UpToDate(_) => "up to date",
        Decision::Incremental => "new rows",
        Decision::Full(_) => "rebuilt",
    }
}

/// What a step did, as JSON.
#[derive(Serialize)]
pub(super) struct Row {
    step: String,
    result: &'static str,
    reason: Option<String>,
    rows_read: u64,
    rows_written: u64,
    version: Option<u64>,
    seconds: f64,
}

impl From<&Outcome> for Row {
    fn from(outcome: &Outcome) -> Self {
        let reason = match &outcome.decision {
            Decision::UpToDate(reason) | Decision::Full(reason) => Some(reason.clone()),
            Decision::Incremental => None,
        };
        Self {
            step: outcome.step.to_string(),
            result: result(&outcome.decision),
            reason,
            rows_read: outcome.read,
            rows_written: outcome.written,
            version: outcome.version,
            seconds: outcome.took.as_secs_f64(),
        }
    }
}
