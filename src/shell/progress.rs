//! The progress of a query that takes longer than half a second: how many rows its scans have read.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle, TermLike};

use super::output::terminal_width;
use crate::plural::counted;

/// Queries that take less time show no bar.
const DELAY: Duration = Duration::from_millis(500);
const TICK: Duration = Duration::from_millis(100);
const BAR_WIDTH: usize = 24;

/// A bar on standard error that appears after a while, and disappears with the query.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    begins: Option<tokio::task::JoinHandle<()>>,
}

impl Progress {
    /// Starts to watch a plan that is about to run.
    pub fn start(plan: &Arc<dyn ExecutionPlan>, draw: bool) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        if !draw {
            return Self { bar, begins: None };
        }
        let scans = leaves(plan);
        let total = rows_held(&scans);
        let template = if total.is_some() {
            "{read_bar} {rows}, {elapsed}"
        } else {
            "{spinner} {rows}, {elapsed}"
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            let of_bar = scans.clone();
            let read_bar = move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
                let share = rows_read(&of_bar) as f64 / total.unwrap_or(1).max(1) as f64;
                let filled = (share.min(1.0) * BAR_WIDTH as f64) as usize;
                _ = write!(out, "{}{}", "█".repeat(filled), "░".repeat(BAR_WIDTH - filled));
            };
            let rows = move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
                let read = rows_read(&scans);
                _ = match total.map(|total| counted(total as u64, "row", "rows")) {
                    Some(total) => write!(out, "{} of {total} read", HumanCount(read)),
                    None => write!(out, "{} read", counted(read, "row", "rows")),
                };
            };
            bar.set_style(style.with_key("read_bar", read_bar).with_key("rows", rows));
        }
        let shown = bar.clone();
        let begins = tokio::spawn(async move {
            tokio::time::sleep(DELAY).await;
            shown.set_draw_target(ProgressDrawTarget::term_like(Box::new(Narrow(
                terminal_width().saturating_sub(4),
            ))));
            shown.enable_steady_tick(TICK);
        });
        Self {
            bar,
            begins: Some(begins),
        }
    }

    /// An output whose lines do not collide with the bar.
    pub fn around<'a>(&'a self, out: &'a mut dyn Write) -> Beside<'a> {
        Beside { bar: &self.bar, out }
    }

    /// Removes the bar.
    pub fn end(self) {
        drop(self);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(begins) = &self.begins {
            begins.abort();
        }
        self.bar.finish_and_clear();
    }
}

/// See [`Progress::around`].
pub(super) struct Beside<'a> {
    bar: &'a ProgressBar,
    out: &'a mut dyn Write,
}

impl Write for Beside<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bar.suspend(|| self.out.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.bar.suspend(|| self.out.flush())
    }
}

/// Standard error, with room at the end of each line for the `^C` that the terminal prints: a full line would wrap
/// there, and remain.
#[derive(Debug)]
struct Narrow(u16);

impl TermLike for Narrow {
    fn width(&self) -> u16 {
        self.0
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        moved(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        moved(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        moved(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        moved(n, 'D')
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        writeln!(io::stderr(), "{text}")
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        write!(io::stderr(), "{text}")
    }

    fn clear_line(&self) -> io::Result<()> {
        write!(io::stderr(), "\r\x1b[2K")
    }

    fn flush(&self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Zero needs a special case: terminals would move by one.
fn moved(n: usize, direction: char) -> io::Result<()> {
    match n {
        0 => Ok(()),
        n => write!(io::stderr(), "\x1b[{n}{direction}"),
    }
}

fn leaves(plan: &Arc<dyn ExecutionPlan>) -> Vec<Arc<dyn ExecutionPlan>> {
    let children = plan.children();
    if children.is_empty() {
        return vec![plan.clone()];
    }
    children.into_iter().flat_map(leaves).collect()
}

/// `None` if a scan does not know its size.
fn rows_held(scans: &[Arc<dyn ExecutionPlan>]) -> Option<usize> {
    let known = StatisticsContext::new();
    let rows = scans.iter().map(|scan| {
        let statistics = known.compute(scan.as_ref(), &StatisticsArgs::new()).ok()?;
        statistics.num_rows.get_value().copied()
    });
    rows.sum::<Option<usize>>().filter(|rows| *rows > 0)
}

fn rows_read(scans: &[Arc<dyn ExecutionPlan>]) -> u64 {
    let rows = scans.iter().filter_map(|scan| scan.metrics()?.output_rows());
    rows.map(|rows| rows as u64).sum()
}
