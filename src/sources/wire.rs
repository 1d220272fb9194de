//! Serializes the plan leaf of any source: the name of its kind, a zero byte, and the leaf as the kind encodes it.

use std::sync::Arc;

use datafusion::common::{Result, exec_datafusion_err};
use datafusion::physical_plan::ExecutionPlan;

use super::{KINDS, SourceConfig};

/// Serializes a plan leaf that reads a source; `None` if it is not such a leaf.
pub fn to_wire(leaf: &dyn ExecutionPlan) -> Option<serde_json::Result<Vec<u8>>> {
    KINDS.iter().find_map(|(name, kind)| {
        let bytes = kind.encode(leaf)?;
        Some(bytes.map(|bytes| [name.as_bytes(), b"\0", &bytes].concat()))
    })
}

/// Deserializes a leaf from [`to_wire`], for a process with these sources.
///
/// # Errors
/// When this process does not know the kind, or has no such source.
pub fn from_wire(bytes: &[u8], sources: &[Arc<dyn SourceConfig>]) -> Result<Arc<dyn ExecutionPlan>> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let (name, leaf) = bytes.split_at(end);
    let kind = KINDS.iter().find(|(known, _)| known.as_bytes() == name);
    let (_, kind) = kind.ok_or_else(|| {
        exec_datafusion_err!(
            "a plan reads an unknown kind of source\n  help: run the same version of clickrec in all processes"
        )
    })?;
    kind.decode(leaf.get(1..).unwrap_or_default(), sources)
}
