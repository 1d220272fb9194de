//! What to run and how: selection, full refresh, `--forward`, `--accept-loss`, `--from-timestamp`; and what of it holds
//! for each step: one that reads a source is rebuilt only if it is selected by its name.

use std::collections::BTreeSet;

use super::{Lookup, Node, Selection};
use crate::config::TableName;
use crate::sources::ReadOptions;

/// What to run.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// Which steps.
    pub selection: Selection,
    /// Rebuild the tables. A step that reads a source is rebuilt only when it is selected by name: its source may
    /// hold less than what was read from it.
    pub full_refresh: bool,
    /// Steps whose older rows stay as they are if their logic has changed.
    pub forward: BTreeSet<TableName>,
    /// How sources are read.
    pub read: ReadOptions,
    /// Models start from nothing, also where they could go on from the last one.
    pub cold: bool,
}

/// How the inputs of a step are looked for.
pub(super) fn lookup(node: &Node, options: &RunOptions) -> Lookup {
    Lookup {
        cold: options.cold,
        full_refresh: refreshes(node, options),
        forward: options.forward.contains(node.name()),
        read: options.read,
    }
}

/// Whether a step is to be rebuilt: one that adds what is new in a source only where it is selected by its name.
fn refreshes(node: &Node, options: &RunOptions) -> bool {
    options.full_refresh && (!node.adds_records() || options.selection.names(node.name()))
}
