//! A line a step as it starts and ends, and a spinner between them.

use std::fmt::Write;
use std::sync::atomic::Ordering;
use std::time::Duration;

use indicatif::{HumanCount, ProgressBar, ProgressState, ProgressStyle};

use crate::pipeline::{Decision, Outcome, RunEvent};

/// Tells on standard error how a run goes.
#[derive(Debug)]
pub(super) struct Progress {
    quiet: bool,
    bars: bool,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// `quiet` prints nothing at all; `bars` draws a spinner while a step works.
    pub fn new(quiet: bool, bars: bool) -> Self {
        Self { quiet, bars, bar: None }
    }

    /// Takes up what happens during a run.
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
                written,
            } => {
                let waiting = waiting.map_or_else(String::new, |rows| format!(", {} rows wait", HumanCount(rows)));
                let how = match decision {
                    Decision::Full(reason) => format!("everything, because {reason}"),
                    Decision::Incremental => "what is new".to_owned(),
                    Decision::UpToDate(reason) => reason.clone(),
                };
                eprintln!("{:<22} start   {how}{waiting}", step.name().to_string());
                self.start_bar(&step.name().to_string(), written.clone());
            }
            RunEvent::Finished(outcome) => eprintln!("{}", finished(outcome)),
        }
    }

    fn start_bar(&mut self, step: &str, written: std::sync::Arc<std::sync::atomic::AtomicU64>) {
        if !self.bars {
            return;
        }
        let rows = move |_: &ProgressState, out: &mut dyn Write| {
            _ = write!(out, "{}", HumanCount(written.load(Ordering::Relaxed)));
        };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {rows} rows written, {elapsed}") {
            let bar = ProgressBar::new_spinner()
                .with_style(style.with_key("rows", rows))
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
            "{name:<22} done    {} rows read, {} {}, {:.2} s",
            HumanCount(outcome.read),
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
