//! What `run` shows: a line when a step starts and when it ends, and a progress bar in between.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{HumanCount, ProgressBar, ProgressState, ProgressStyle};

use crate::pipeline::{Decision, Outcome, RunEvent, StepProgress, chain};
use crate::plural::counted;

const BAR_WIDTH: usize = 24;

/// Shows the progress of a run on standard error.
#[derive(Debug)]
pub(super) struct Progress {
    quiet: bool,
    bars: bool,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// `quiet` prints nothing at all; `bars` draws progress bars.
    pub fn new(quiet: bool, bars: bool) -> Self {
        Self { quiet, bars, bar: None }
    }

    /// Prints an event of a run.
    pub fn event(&mut self, event: &RunEvent<'_>) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        if self.quiet {
            return;
        }
        match event {
            RunEvent::Started {
                step,
                decision,
                waiting,
                progress,
            } => {
                let rows = waiting.map(|rows| format!(", {}", counted(rows, "row waiting", "rows waiting")));
                let rows = rows.unwrap_or_default();
                let how = match decision {
                    Decision::Full(reason) => format!("rebuild: {reason}"),
                    Decision::Incremental => "new rows".to_owned(),
                    Decision::Forward(reason) => format!("forward: {reason}"),
                    Decision::Backfill(rows) => format!("backfill: {rows}"),
                    Decision::UpToDate(reason) => reason.clone(),
                };
                eprintln!("{:<22} start   {how}{rows}", step.name().to_string());
                self.start_bar(&step.name().to_string(), *waiting, progress);
            }
            RunEvent::Finished(outcome) => {
                eprintln!("{}", finished(outcome));
                for checked in outcome.checked.iter().filter(|checked| checked.rows > 0) {
                    let rows = counted(checked.rows, "row violates", "rows violate");
                    let (step, severity) = (outcome.step.to_string(), checked.severity.to_string());
                    eprintln!("{step:<22} {severity:<7} {rows} `{}`", checked.name);
                }
            }
            RunEvent::Failed(failed) => {
                let error = chain(&failed.error, ": ");
                let first = error.lines().next().unwrap_or_default();
                eprintln!("{:<22} FAIL    {first}", failed.step.to_string());
            }
            RunEvent::Skipped(skipped) => {
                eprintln!("{:<22} skip    {}", skipped.step.to_string(), skipped.reason());
            }
        }
    }

    /// A bar of the rows read if the number of waiting rows is known, otherwise a spinner.
    fn start_bar(&mut self, step: &str, waiting: Option<u64>, progress: &Arc<StepProgress>) {
        if !self.bars {
            return;
        }
        let template = match waiting {
            Some(1..) => "{msg:<22} {read_bar} {rows}, {elapsed}",
            _ => "{msg:<22} {spinner} {rows}, {elapsed}",
        };
        let of_bar = progress.clone();
        let total = waiting.unwrap_or_default().max(1);
        let read_bar = move |_: &ProgressState, out: &mut dyn Write| {
            let share = of_bar.rows_read() as f64 / total as f64;
            let filled = (share.min(1.0) * BAR_WIDTH as f64) as usize;
            _ = write!(out, "{}{}", "█".repeat(filled), "░".repeat(BAR_WIDTH - filled));
        };
        let of_rows = progress.clone();
        let rows = move |_: &ProgressState, out: &mut dyn Write| {
            let read = counted(of_rows.rows_read(), "row read", "rows read");
            _ = write!(out, "{read}, {} written", HumanCount(of_rows.rows_written()));
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            let bar = ProgressBar::new_spinner()
                .with_style(style.with_key("read_bar", read_bar).with_key("rows", rows))
                .with_message(step.to_owned());
            bar.enable_steady_tick(Duration::from_millis(100));
            self.bar = Some(bar);
        }
    }
}

fn finished(outcome: &Outcome) -> String {
    let name = outcome.step.to_string();
    match &outcome.decision {
        Decision::UpToDate(reason) => format!("{name:<22} skip    {reason}"),
        _ => format!(
            "{name:<22} done    {}, {} {}, {:.2} s",
            counted(outcome.read, "row read", "rows read"),
            HumanCount(outcome.written),
            if outcome.is_quarantine() {
                "quarantined"
            } else {
                "written"
            },
            outcome.took.as_secs_f64()
        ),
    }
}
