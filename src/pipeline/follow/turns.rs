//! Whose turn it is to write a table: that of its step, or that of the step's backfill. Without turns, each would make the
//! other lose the race for the next version, and a long day would never end before a batch does.

use std::collections::BTreeMap;

use tokio::sync::{Mutex, MutexGuard};

use crate::config::{OnChange, TableName};
use crate::pipeline::Node;

/// The steps that are backfilled (`on_change: backfill`), each with whose turn it is.
#[derive(Debug)]
pub(super) struct Turns<'a> {
    steps: BTreeMap<&'a TableName, (&'a Node, Mutex<()>)>,
}

impl<'a> Turns<'a> {
    pub fn new(nodes: impl Iterator<Item = &'a Node>) -> Self {
        let steps = nodes.filter(|node| node.step.on_change == OnChange::Backfill);
        Self {
            steps: steps.map(|node| (node.name(), (node, Mutex::default()))).collect(),
        }
    }

    /// The steps that are backfilled.
    pub fn nodes(&self) -> impl Iterator<Item = &'a Node> {
        self.steps.values().map(|(node, _)| *node)
    }

    /// Waits until the step may write; a step that is not backfilled may at once.
    pub async fn take(&self, node: &Node) -> Option<MutexGuard<'_, ()>> {
        let (_, turn) = self.steps.get(node.name())?;
        Some(turn.lock().await)
    }
}
