//! The fingerprint of a step's logic: its SQL and that of its views, with the values of `var('…')` and without comments
//! and line breaks (`references` normalizes it), with mode, key, `delete` and partitioning. Commits store it; if it
//! has changed, `decide` rebuilds the step, unless it reads a source.

use std::hash::Hasher;

use clickrec_udfs::Variables;
use twox_hash::XxHash64;

use super::Node;
use super::references::{References, references};

/// Tells one version of a step's logic from another; `found` is what its SQL reads.
pub(super) fn fingerprint(node: &Node, found: &References, variables: &Variables) -> i64 {
    let mut hasher = XxHash64::with_seed(0);
    let mut add = |text: &str| {
        hasher.write(text.as_bytes());
        hasher.write_u8(0);
    };
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
    // Delta's transaction versions are signed and 63 bits are plenty.
    i64::try_from(hasher.finish() >> 1).unwrap_or(i64::MAX)
}
