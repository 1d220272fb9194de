//! The last phase of a step: rejected rows go into the quarantine, then one Delta commit makes the step's files
//! and positions visible. Before, it makes sure that what was believed of files has proved true.

use super::expectations::{Passed, save};
use super::{Attempt, Done};
use crate::lake::write::Layout;
use crate::lake::{Commit, CommitMode};
use crate::pipeline::PipelineError;
use crate::sources::SourceError;

/// Puts rows into the quarantine, then makes the files part of the table. Nothing but the commit can fail by then; a
/// row that is rejected again is in the quarantine once.
pub async fn commit(
    attempt: Attempt<'_>,
    layout: Layout,
    passed: Passed,
    mode: CommitMode,
) -> Result<Done, PipelineError> {
    check_files(attempt)?;
    save(attempt, &passed.aside).await?;
    let commit = Commit {
        mode,
        layout,
        files: passed.written.files,
        transactions: attempt.inputs.transactions.clone(),
        logic: attempt.inputs.decision.logic(),
    };
    let version = commit.apply(&attempt.inputs.target).await;
    Ok(Done {
        version: version.map_err(|source| attempt.node.lake_error(source))?,
        read: attempt.progress.rows_read(),
        written: passed.written.rows,
        bytes: attempt.progress.bytes_read(),
        checked: passed.checked,
        failed: 0,
    })
}

/// Refuses positions behind a file that was believed and not read to its end: it may be damaged.
fn check_files(attempt: Attempt<'_>) -> Result<(), PipelineError> {
    let mut files = attempt.inputs.unproven.iter();
    match files.find_map(|(source, unproven)| Some((source, unproven.first()?))) {
        None => Ok(()),
        Some((source, file)) => {
            let damaged = SourceError::Damaged {
                what: file,
                reason: "it was not read to its end".to_owned(),
                help: "run again; none of the new records were committed".to_owned(),
            };
            Err(attempt.node.source_error(source, damaged))
        }
    }
}
