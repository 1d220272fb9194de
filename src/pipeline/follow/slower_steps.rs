//! When a step with a schedule of its own (`every`, `refresh_after`) is due, as training is. It runs alongside the
//! batches; when these begin is in `batch_trigger`.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::pipeline::Node;

/// Whether a step runs alongside the batches: it has a schedule of its own, or waits until much is new.
pub(super) fn is_slower(node: &Node) -> bool {
    node.step.every.is_some() || node.step.refresh_after.is_some()
}

/// How long a step waits after it ran; `trigger` where it only waits for enough to be new.
pub(super) fn pause(node: &Node, trigger: Duration) -> Duration {
    node.step.every.unwrap_or(trigger)
}

/// When which step is due.
#[derive(Debug)]
pub(super) struct Schedule<'a> {
    entries: Vec<(&'a Node, Duration, Instant)>,
}

impl<'a> Schedule<'a> {
    /// All are due at once.
    pub fn new(nodes: &[&'a Node], trigger: Duration) -> Self {
        let now = Instant::now();
        Self {
            entries: nodes.iter().map(|node| (*node, pause(node, trigger), now)).collect(),
        }
    }

    /// Waits until a step is due; forever if there is none.
    pub async fn wait(&self) {
        match self.entries.iter().map(|(_, _, due)| *due).min() {
            Some(due) => sleep_until(due).await,
            None => std::future::pending().await,
        }
    }

    /// A step that had nothing to work on yet is due again soon.
    pub fn soon(&mut self, node: &Node, trigger: Duration) {
        let of_node = self
            .entries
            .iter_mut()
            .filter(|(entry, ..)| entry.name() == node.name());
        for (_, pause, due) in of_node {
            *due = Instant::now() + trigger.min(*pause);
        }
    }

    /// The steps that are due, in order; each is due again after its pause.
    pub fn due(&mut self) -> Vec<&'a Node> {
        let now = Instant::now();
        let due = self.entries.iter_mut().filter(|(_, _, due)| *due <= now);
        due.map(|(node, pause, due)| {
            *due = now + *pause;
            *node
        })
        .collect()
    }
}
