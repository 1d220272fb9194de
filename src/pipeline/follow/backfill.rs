//! `run --follow` computes older rows again beside its batches, for steps with `on_change: backfill`
//! (`pipeline/backfill.rs`): a day at a time, and with a pause as long as the days took, so that batches have most of the
//! machine. A step and its backfill take turns (`pipeline/follow/turns.rs`).

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::{FollowEvent, Follower, OnEvent};
use crate::pipeline::{Backfilled, Node};

/// The shortest pause between two days.
const PAUSE_MIN: Duration = Duration::from_millis(100);

impl<'a> Follower<'a> {
    /// Computes older rows again, as long as there are any, and looks again and again whether there are.
    pub(super) async fn backfill(&self, on_event: OnEvent<'_>) {
        loop {
            let (started, mut has_more) = (Instant::now(), false);
            for node in self.turns.nodes() {
                has_more |= self.backfill_day(node, on_event).await;
            }
            sleep(match has_more {
                true => started.elapsed().max(PAUSE_MIN),
                false => self.pipeline.trigger.every,
            })
            .await;
        }
    }

    /// Computes one day of a step again. Whether there may be another one.
    async fn backfill_day(&self, node: &'a Node, on_event: OnEvent<'_>) -> bool {
        let _turn = self.turns.take(node).await;
        match self.runner.backfill(node, &mut |_| {}).await {
            Ok(Backfilled::Day(outcome)) => {
                self.finished(node, &outcome);
                on_event(FollowEvent::Scheduled(&outcome));
                true
            }
            Ok(Backfilled::Nothing | Backfilled::RunFirst(_)) => false,
            Err(error) => {
                let pause = self.pipeline.trigger.every;
                self.status.failed_beside(node, &error);
                on_event(FollowEvent::Failed { error: &error, pause });
                false
            }
        }
    }
}
