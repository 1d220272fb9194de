//! Tables that were deleted, made anew, or robbed of rows behind the back of the steps.
//!
//! What a step computes from tables it can compute again, and says so. A table that is filled from a source cannot be
//! made again from it for certain, as the source may hold less by now: that is never done unasked. Only where another
//! engine took such a table back to a version of ours is it known what is missing, and that is read again.

use std::collections::BTreeMap;

use super::decide::Loss;
use super::inputs::Lookup;
use super::{Decision, Inputs, Node, PipelineError, Runner};
use crate::config::Mode;
use crate::lake::{ForeignCommit, LakeTable, LastCommit, positions};
use crate::sources::OnLoss;

/// Refuses what would silently start from nothing.
pub(super) async fn check(runner: &Runner, node: &Node, inputs: &Inputs, lookup: Lookup) -> Result<(), PipelineError> {
    if node.sources.is_empty() {
        return match inputs.decision {
            Decision::Full(_) => inputs_are_whole(runner, node, inputs, lookup).await,
            _ => Ok(()),
        };
    }
    if lookup.full_refresh {
        return Ok(());
    }
    match inputs.target.version() {
        None => was_not_deleted(runner, node).await,
        Some(_) => {
            knows_its_positions(node, inputs).await?;
            has_its_rows(node, &inputs.target, lookup.read.on_loss).await
        }
    }
}

async fn last_commit<'a>(node: &Node, table: &'a LakeTable) -> Result<&'a LastCommit, PipelineError> {
    table.last_commit().await.map_err(|error| node.lake_error(error))
}

/// What is lost of a table's rows. A table without sources is computed again: it loses nothing.
pub(super) async fn loss(node: &Node, table: &LakeTable) -> Result<Loss, PipelineError> {
    if node.sources.is_empty() || table.version().is_none() {
        return Ok(Loss::None);
    }
    let last = last_commit(node, table).await?;
    Ok(match (last.rows_taken(), &last.restored) {
        (Some(_), _) => Loss::Unknown,
        (None, Some(_)) => Loss::ReadAgain,
        (None, None) => Loss::None,
    })
}

/// A table that is filled from sources holds what its positions say.
async fn has_its_rows(node: &Node, table: &LakeTable, on_loss: OnLoss) -> Result<(), PipelineError> {
    let last = last_commit(node, table).await?;
    if let Some(restored) = &last.restored {
        tracing::warn!(
            "`{}`: {}: what was read after version {} is read again",
            node.name(),
            restored.by,
            restored.to
        );
    }
    match last.rows_taken() {
        Some(other) => refuse(node, last, other, on_loss),
        None => Ok(()),
    }
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

fn refuse(node: &Node, last: &LastCommit, other: &ForeignCommit, on_loss: OnLoss) -> Result<(), PipelineError> {
    let error = PipelineError::RowsTaken {
        table: node.name().to_string(),
        by: other.to_string(),
        whole: last.version.unwrap_or_else(|| other.version.saturating_sub(1)),
    };
    if on_loss == OnLoss::Refuse {
        return Err(error);
    }
    tracing::warn!("`{}` goes on without the rows that are gone: {other}", node.name());
    Ok(())
}

/// A table that does not exist has not been read by anybody.
async fn was_not_deleted(runner: &Runner, node: &Node) -> Result<(), PipelineError> {
    let any = positions::of_table(node.name(), "");
    let mut others = runner
        .dag()
        .nodes()
        .iter()
        .filter(|other| other.step.mode != Mode::View);
    while let Some(reader) = others.find(|other| other.inputs().any(|input| input == node.name())) {
        let failed = |error| reader.lake_error(error);
        let table = runner.lake().table(reader.name()).await.map_err(failed)?;
        let stored = table.transactions().await.map_err(failed)?;
        if stored.is_some_and(|stored| stored.keys().any(|id| id.starts_with(&any))) {
            // Another process may have made and read it since it was looked for.
            let now = runner.lake().table(node.name()).await;
            if now.map_err(|error| node.lake_error(error))?.version().is_some() {
                return Ok(());
            }
            return Err(PipelineError::TableGone {
                table: node.name().to_string(),
                reader: reader.name().to_string(),
            });
        }
    }
    Ok(())
}

/// A table that is there says how far its sources were read.
async fn knows_its_positions(node: &Node, inputs: &Inputs) -> Result<(), PipelineError> {
    let sql = inputs.target.transaction(positions::SQL).await;
    match sql.map_err(|error| node.lake_error(error))? {
        Some(_) => Ok(()),
        None => Err(PipelineError::NoPositions {
            table: node.name().to_string(),
        }),
    }
}

/// The inputs that come from sources hold all that was read into them, and are the very tables that were read before:
/// else a table would be computed from the half, and nobody would know.
async fn inputs_are_whole(runner: &Runner, node: &Node, inputs: &Inputs, lookup: Lookup) -> Result<(), PipelineError> {
    let failed = |error| node.lake_error(error);
    let stored = match lookup.full_refresh {
        true => None,
        false => inputs.target.transactions().await.map_err(failed)?,
    };
    for input in node.inputs() {
        let Some(maker) = runner.dag().get(input).filter(|maker| !maker.sources.is_empty()) else {
            continue;
        };
        let table = runner.lake().table(input).await.map_err(failed)?;
        let last = last_commit(maker, &table).await?;
        let restored = last.restored.as_ref().map(|restored| &restored.by);
        if let Some(other) = last.rows_taken().or(restored) {
            refuse(maker, last, other, lookup.read.on_loss)?;
        }
        let any = positions::of_table(input, "");
        let mut read = stored
            .iter()
            .flat_map(|stored| stored.keys())
            .filter(|id| id.starts_with(&any))
            .peekable();
        if read.peek().is_some() && read.all(|id| !inputs.transactions.contains_key(id)) {
            return Err(PipelineError::TableReplaced {
                table: input.to_string(),
                reader: node.name().to_string(),
            });
        }
    }
    Ok(())
}
