//! `run --follow` computes older rows again beside its batches, for steps with `on_change: backfill`
//! (`pipeline/backfill.rs`): a day at a time, and with a pause as long as the days took, so that batches have most of the
//! machine. A step and its backfill take turns (`pipeline/follow/turns.rs`).

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::turns::Turns;
use crate::pipeline::{Backfilled, Node, Outcome, PipelineError, Runner};

/// The shortest pause between two days.
const PAUSE_MIN: Duration = Duration::from_millis(100);

/// Computes older rows again, as long as there are any, and looks again and again (`every`) whether there are. Says what
/// became of each day.
pub(super) async fn backfill<'a>(
    runner: &Runner,
    turns: &Turns<'a>,
    every: Duration,
    on_day: impl Fn(&'a Node, Result<&Outcome, &PipelineError>),
) {
    loop {
        let (started, mut has_more) = (Instant::now(), false);
        for node in turns.nodes() {
            let _turn = turns.take(node).await;
            match runner.backfill(node, &mut |_| {}).await {
                Ok(Backfilled::Day(outcome)) => {
                    on_day(node, Ok(&outcome));
                    has_more = true;
                }
                Ok(Backfilled::Nothing | Backfilled::RunFirst(_)) => {}
                Err(error) => on_day(node, Err(&error)),
            }
        }
        sleep(match has_more {
            true => started.elapsed().max(PAUSE_MIN),
            false => every,
        })
        .await;
    }
}
