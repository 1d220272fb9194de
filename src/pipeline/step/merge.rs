//! How the commit of a step will change its table: add, replace all, or replace the rows of some keys, for which
//! `backend.merge` finds the old rows of these keys (`lake/merge.rs`).

use super::Attempt;
use super::expectations::{Passed, session};
use super::shape::Shape;
use crate::backend::MergeKeys;
use crate::config::Mode;
use crate::lake::CommitMode;
use crate::pipeline::PipelineError;
use crate::pipeline::step_error::backend_error;

/// Finds how the commit changes the table; for a merge, with the rows of other keys in files of their own. Old rows
/// stay where all new ones of their key were rejected.
pub async fn merge(
    attempt: Attempt<'_>,
    shape: &Shape,
    passed: &Passed,
    keys: MergeKeys,
) -> Result<CommitMode, PipelineError> {
    let failed = |error| backend_error(attempt.node, error);
    let (backend, to) = (attempt.tools.backend, attempt.target(shape));
    let files = &passed.written.files;
    let keys = match to.merge {
        Some(merge) if !passed.aside.is_empty() || merge.may_have_null_keys(files) => {
            let here = session(attempt, to.layout, files).await?;
            backend.keys_of(to, &here, files, keys).await.map_err(failed)?
        }
        _ => keys,
    };
    Ok(match (attempt.inputs.decision.keeps_rest(), attempt.node.step.mode) {
        (true, Mode::Append) => CommitMode::Append,
        (true, Mode::Merge) => backend.merge(attempt.job(), to, keys).await.map_err(failed)?,
        _ => CommitMode::Overwrite,
    })
}
