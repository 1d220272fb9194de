//! `clickrec run`: runs a pipeline once, or with `--follow` until it is stopped (`follow`): options such as `--select`,
//! `--full-refresh`, `--forward`, `--backfill`, `--accept-loss` and `--from-timestamp`, and the exit code.

use std::net::SocketAddr;
use std::time::Instant;

use chrono::DateTime;
use clap::Args;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::exit::with_causes;
use super::follow;
use super::global::Global;
use super::output::{table, thousands, write_all};
use super::progress::Progress;
use super::step_result::{StepResult, result};
use crate::config::TableName;
use crate::pipeline::follow::{FollowOptions, Follower};
use crate::pipeline::runs::Run;
use crate::pipeline::{Backfilled, Failed, Outcome, Reconciled, RunEvent, RunOptions, RunReport, Runner, Selection};
use crate::plural::counted;
use crate::sources::{OnLoss, ReadOptions};

/// The key filters may use one part in this many of the memory limit.
const KEY_FILTERS_SHARE: u64 = 8;

/// Run a pipeline, once or continuously: every step reads what is new and commits the result
///
/// Each step makes one Delta commit, which holds its rows and how far it has read its inputs. You can therefore stop a
/// run at any moment and start it again.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  clickrec run                                        process everything that is new, through every step
  clickrec run --target kafka                         the same from Kafka
  clickrec run --target kafka --follow                continuously; SIGTERM ends it after the current step
  clickrec run --select gold.session_items+           one step and those after it
  clickrec run --select +gold.sessions --exclude bronze.*
                                                      a step and those before it, except one layer
  clickrec run --full-refresh --select silver.events+ rebuild tables from Bronze
  clickrec run --forward gold.sessions                keep the table's rows although its SQL has changed
  clickrec run --backfill gold.sessions --days 30     then compute the newest 30 days of them again
  clickrec run --from-timestamp 2025-07-13T00:00:00Z  into a new lake: everything since that time")]
pub(super) struct RunArgs {
    /// The pipeline, if the project has several
    pipeline: Option<String>,

    /// Run only these steps or layers (`gold.*`); `STEP+` adds the steps after STEP, `+STEP` those before it
    #[arg(long, value_name = "[+]STEP[+]", num_args = 1.., value_delimiter = ',')]
    select: Vec<String>,

    /// Exclude these steps or layers, in the notation of --select
    #[arg(long, value_name = "[+]STEP[+]", num_args = 1.., value_delimiter = ',')]
    exclude: Vec<String>,

    /// Rebuild the tables from all of their input; steps that read a source are rebuilt only if you select them by name
    #[arg(long)]
    full_refresh: bool,

    /// If the SQL of this step has changed: keep the rows of its table as they are (new columns are NULL there), and apply
    /// the new SQL from now on; `on_change: forward` in the project file does so every time
    #[arg(long, value_name = "STEP", num_args = 1.., value_delimiter = ',', conflicts_with = "full_refresh")]
    forward: Vec<TableName>,

    /// Run no step, but compute the rows of this one again that are older than its SQL, day by day, newest first; stop it
    /// at any moment, and start it again
    #[arg(
        long,
        value_name = "STEP",
        conflicts_with_all = ["full_refresh", "forward", "follow", "select", "exclude", "accept_loss", "from_timestamp"]
    )]
    backfill: Option<TableName>,

    /// With --backfill: at most this many days [default: all]
    #[arg(long, requires = "backfill", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    days: Option<u32>,

    /// Continue even if a source has lost records that had not been read yet (expired, topic recreated, file replaced),
    /// or another engine has removed rows from a table that is filled from a source
    #[arg(long)]
    accept_loss: bool,

    /// Start at this time (RFC 3339) in a source that has not been read yet; to replace a table that already has
    /// records, add --full-refresh and select its step by name
    #[arg(long, value_name = "TIME", value_parser = time)]
    from_timestamp: Option<i64>,

    /// Run continuously: start a batch whenever the pipeline's `trigger` is due; steps with `every` run alongside the
    /// batches
    #[arg(long, conflicts_with = "full_refresh")]
    follow: bool,

    /// With --follow: stop when no records are left to read
    #[arg(long, requires = "follow")]
    once: bool,

    /// With --follow: serve Prometheus metrics and /health at this address, for example 127.0.0.1:9464
    #[arg(long, requires = "follow", value_name = "ADDRESS")]
    metrics: Option<SocketAddr>,

    /// Print the progress as JSON lines, one per step and one for the run; with --follow, one per batch
    #[arg(long)]
    json: bool,
}

impl RunArgs {
    /// Whether it ends only on a stop signal.
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
        selection: Selection {
            select: args.select.clone(),
            exclude: args.exclude.clone(),
        },
        cold: false,
        full_refresh: args.full_refresh,
        forward: args.forward.iter().cloned().collect(),
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
    let (run, mut lines) = (Run::start(pipeline), Ok(()));
    let mut on_event = |event: RunEvent<'_>| {
        progress.event(&event);
        if let (true, Ok(()), Some(row)) = (args.json, &lines, StepResult::of(&event)) {
            lines = print_line(&row);
        }
    };
    let report = match &args.backfill {
        Some(step) => backfill(&runner, step, args.days, &mut on_event).await?,
        None => runner.run_once(pipeline, &options, &mut on_event).await?,
    };
    lines?;
    if let Err(error) = run.save(&runner, &report).await {
        tracing::warn!(error = with_causes(&error), "cannot record the run in system.runs");
    }
    maintain(&runner, &report.outcomes).await;
    match args.json {
        true => print_line(&Total::from(&report))?,
        false if report.failed.is_empty() => write_all(&summary(&report))?,
        // After a failure, the summary goes to standard error, as errors do.
        false if !global.quiet => eprint!("{}", summary(&report)),
        false => {}
    }
    report_failures(report)
}

/// Computes older rows of a step again, day by day, until all are of its logic or enough days are done.
async fn backfill(
    runner: &Runner,
    step: &TableName,
    days: Option<u32>,
    on_event: &mut dyn FnMut(RunEvent<'_>),
) -> anyhow::Result<RunReport> {
    let node = runner.step(step)?;
    runner.check_backfill(node)?;
    let mut report = RunReport::default();
    while days.is_none_or(|days| report.outcomes.len() < days as usize) {
        let started = Instant::now();
        match runner.backfill(node, on_event).await {
            Ok(Backfilled::Day(outcome)) => {
                on_event(RunEvent::Finished(&outcome));
                report.outcomes.push(*outcome);
            }
            Ok(Backfilled::Nothing) => break,
            Ok(Backfilled::RunFirst(reason)) => anyhow::bail!(
                "`{step}` has to run before its older rows can be computed again: {reason}\n  help: clickrec run \
                 --forward {step}"
            ),
            Err(error) => {
                let failed = Failed {
                    step: step.clone(),
                    error,
                    took: started.elapsed(),
                };
                on_event(RunEvent::Failed(&failed));
                report.failed.push(failed);
                break;
            }
        }
    }
    if report.outcomes.is_empty() && report.failed.is_empty() {
        eprintln!("all rows of `{step}` are of its current SQL: there is nothing to compute again");
    }
    Ok(report)
}

/// The first failure becomes the command's error; the others are printed before it.
fn report_failures(report: RunReport) -> anyhow::Result<()> {
    for failed in report.failed.iter().skip(1) {
        eprintln!("error: {}", with_causes(&failed.error));
    }
    report.into_outcomes().map(drop).map_err(Into::into)
}

/// Does the maintenance that is due for the tables that were written. If it fails, a later run does it.
async fn maintain(runner: &Runner, outcomes: &[Outcome]) {
    let written = outcomes.iter().filter(|outcome| outcome.version.is_some());
    for table in written.map(|outcome| &outcome.step) {
        match runner.maintain(table).await {
            Ok(done) => tracing::info!(%table, ?done, "maintained"),
            Err(error) => {
                tracing::warn!(%table, error = with_causes(&error), "maintenance failed; a later run retries it")
            }
        }
    }
}

/// What every step did, as a table.
pub(super) fn summary(report: &RunReport) -> String {
    let mut summary = table([
        "step",
        "result",
        "read",
        "written",
        "accepted",
        "repeated",
        "quarantined",
        "version",
        "seconds",
    ]);
    for outcome in &report.outcomes {
        let (written, mut quarantined) = match outcome.is_quarantine() {
            true => (0, Some(outcome.written)),
            false => (outcome.written, None),
        };
        let (mut accepted, mut repeated) = (None, None);
        if let Some(records) = &outcome.reconciled {
            (accepted, repeated) = (Some(records.accepted), Some(records.repeated));
            quarantined = Some(records.quarantined);
        }
        let shown = |count: Option<u64>| count.map_or_else(|| "-".to_owned(), thousands);
        let version = outcome.version.map(|version| version.to_string());
        summary.add_row([
            outcome.step.to_string(),
            result(&outcome.decision).to_owned(),
            thousands(outcome.read),
            thousands(written),
            shown(accepted),
            shown(repeated),
            shown(quarantined),
            version.unwrap_or_else(|| "-".to_owned()),
            format!("{:.2}", outcome.took.as_secs_f64()),
        ]);
    }
    let without_counts = |step: &TableName, result: String, seconds: String| {
        let mut row = vec![step.to_string(), result];
        row.extend(["-"; 6].map(str::to_owned));
        row.push(seconds);
        row
    };
    for failed in &report.failed {
        let seconds = format!("{:.2}", failed.took.as_secs_f64());
        summary.add_row(without_counts(&failed.step, "failed".to_owned(), seconds));
    }
    for skipped in &report.skipped {
        let result = format!("skipped: {}", skipped.reason());
        summary.add_row(without_counts(&skipped.step, result, "-".to_owned()));
    }
    for column in 2..9 {
        if let Some(column) = summary.column_mut(column) {
            column.set_cell_alignment(comfy_table::CellAlignment::Right);
        }
    }
    let mut text = format!("{summary}\n");
    if let Some(records) = report.reconciled() {
        text.push_str(&format!("{}\n", balance(&records)));
    }
    if !report.failed.is_empty() {
        let (ok, failed, skipped) = (report.outcomes.len(), report.failed.len(), report.skipped.len());
        text.push_str(&format!("{ok} ok, {failed} failed, {skipped} skipped\n"));
    }
    text
}

/// What became of the records of a run, in one line.
fn balance(records: &Reconciled) -> String {
    let conflicting = match records.conflicting {
        0 => String::new(),
        some => format!(" ({} of them conflicting)", thousands(some)),
    };
    let sign = match (records.missing(), records.read) {
        (0, _) => "=",
        (_, 1) => "does NOT equal",
        _ => "do NOT equal",
    };
    format!(
        "{} {sign} {} accepted + {} repeated + {} quarantined{conflicting}",
        counted(records.read, "record", "records"),
        thousands(records.accepted),
        thousands(records.repeated),
        thousands(records.quarantined)
    )
}

fn print_line(row: &impl Serialize) -> anyhow::Result<()> {
    write_all(&format!("{}\n", serde_json::to_string(row)?))
}

/// How a run ended, as a line of JSON.
#[derive(Serialize)]
struct Total {
    event: &'static str,
    ok: usize,
    failed: usize,
    skipped: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    records: Option<Reconciled>,
}

impl From<&RunReport> for Total {
    fn from(report: &RunReport) -> Self {
        Self {
            event: "run",
            ok: report.outcomes.len(),
            failed: report.failed.len(),
            skipped: report.skipped.len(),
            records: report.reconciled(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_balance_says_whether_the_records_add_up() {
        let of = |read, accepted, conflicting| {
            balance(&Reconciled {
                read,
                accepted,
                quarantined: 1,
                conflicting,
                ..Reconciled::default()
            })
        };
        assert_eq!(
            of(1_001, 1_000, 0),
            "1,001 records = 1,000 accepted + 0 repeated + 1 quarantined"
        );
        assert!(of(2, 1, 1).ends_with("1 quarantined (1 of them conflicting)"));
        assert!(of(1, 3, 0).starts_with("1 record does NOT equal 3 accepted"));
        assert!(of(3, 1, 0).starts_with("3 records do NOT equal 1 accepted"));
    }
}
