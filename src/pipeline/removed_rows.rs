//! Rows that another engine removed from a table that is filled from a source (`DELETE`, overwrite, `RESTORE` to an
//! older version): refused, unless `--accept-loss` continues without them; after a `RESTORE` they are read again from
//! the source. `inputs/sources.rs` and `deleted_tables` ask here; what the log says is in `lake/last_commit.rs`.

use std::collections::BTreeMap;

use super::decide::Loss;
use super::{Node, PipelineError};
use crate::lake::{ForeignCommit, LakeTable, LastCommit, positions};
use crate::sources::OnLoss;

pub(super) async fn last_commit<'a>(node: &Node, table: &'a LakeTable) -> Result<&'a LastCommit, PipelineError> {
    table.last_commit().await.map_err(|error| node.lake_error(error))
}

/// What is lost of a table's rows. A table to which no source adds is computed again: it loses nothing.
pub(super) async fn loss(node: &Node, table: &LakeTable) -> Result<Loss, PipelineError> {
    if !node.adds_records() || table.version().is_none() {
        return Ok(Loss::None);
    }
    let last = last_commit(node, table).await?;
    Ok(match (last.rows_taken(), &last.restored) {
        (Some(_), _) => Loss::Unknown,
        (None, Some(_)) => Loss::ReadAgain,
        (None, None) => Loss::None,
    })
}

/// Of what a restored table has lost, nothing is left out: every place of its sources is read as far as before.
pub(super) async fn is_read_again(
    node: &Node,
    table: &LakeTable,
    on_loss: OnLoss,
    next: &BTreeMap<String, i64>,
) -> Result<(), PipelineError> {
    let last = last_commit(node, table).await?;
    let Some(restored) = &last.restored else { return Ok(()) };
    let is_read = |(id, before): (&String, &i64)| {
        let next = next.get(id);
        positions::source_of(id).is_none() || next.is_some_and(|next| next >= before || positions::is_mark(id))
    };
    match restored.before.iter().all(is_read) {
        true => Ok(()),
        false => refuse(node, last, &restored.by, on_loss),
    }
}

pub(super) fn refuse(
    node: &Node,
    last: &LastCommit,
    other: &ForeignCommit,
    on_loss: OnLoss,
) -> Result<(), PipelineError> {
    let error = PipelineError::RowsTaken {
        table: node.name().to_string(),
        by: other.to_string(),
        whole: last.version.unwrap_or_else(|| other.version.saturating_sub(1)),
    };
    if on_loss == OnLoss::Refuse {
        return Err(error);
    }
    tracing::warn!("`{}` continues without the removed rows: {other}", node.name());
    Ok(())
}
