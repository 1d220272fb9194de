//! The fingerprint of a step's logic: its SQL and that of its views, with the values of `var('…')` and without comments
//! and line breaks (`references` normalizes it), with mode, key, `delete` and partitioning. Commits store it; if it
//! has changed, `decide` rebuilds the step, unless it reads a source, or older rows are to stay. These may stay only if
//! the fingerprint of the layout (mode, key, partitioning) is the same.

use std::hash::Hasher;

use clickrec_udfs::Variables;
use twox_hash::XxHash64;

use super::Node;
use super::references::{References, references};
use crate::config::Step;

/// Tells one version of a step's logic from another; `found` is what its SQL reads.
pub(super) fn fingerprint(node: &Node, found: &References, variables: &Variables) -> i64 {
    let mut hasher = XxHash64::with_seed(0);
    let mut add = |text: &str| write(&mut hasher, text);
    add(&found.normalized);
    for view in &node.views {
        // A view that parses is in the order before its readers; its text is stable but for comments.
        let found = references(&view.sql, variables);
        add(&found.map(|found| found.normalized).unwrap_or_default());
    }
    add(&node.step.mode.to_string());
    node.step.key.iter().for_each(|column| add(column));
    add(node.step.delete.as_deref().unwrap_or_default());
    node.step.partition_by.iter().for_each(|column| add(column));
    version(&hasher)
}

/// Tells one layout of a step's table from another: its mode, key and partitioning.
pub(super) fn layout_fingerprint(step: &Step) -> i64 {
    let mut hasher = XxHash64::with_seed(0);
    let mut add = |text: &str| write(&mut hasher, text);
    add(&step.mode.to_string());
    step.key.iter().for_each(|column| add(column));
    add("");
    step.partition_by.iter().for_each(|column| add(column));
    version(&hasher)
}

fn write(hasher: &mut XxHash64, text: &str) {
    hasher.write(text.as_bytes());
    hasher.write_u8(0);
}

/// Delta's transaction versions are signed and 63 bits are plenty.
fn version(hasher: &XxHash64) -> i64 {
    i64::try_from(hasher.finish() >> 1).unwrap_or(i64::MAX)
}
