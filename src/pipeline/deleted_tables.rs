//! Tables that were deleted or recreated, or that lost rows (`removed_rows`), without the steps' doing: refuses what
//! would silently start from nothing.
//!
//! A step recomputes what it computes from tables, and says so. A table that is filled from a source cannot be restored
//! from it for certain, because the source may hold less by now: that is never done unless requested. Only if another
//! engine restored such a table to one of our versions is it known what is missing; that is then read again.

use super::removed_rows::{last_commit, refuse};
use super::{Dag, Decision, Inputs, Lookup, Node, PipelineError};
use crate::config::Mode;
use crate::lake::{Lake, LakeTable, positions};
use crate::sources::OnLoss;

/// Refuses what would silently start from nothing.
pub(super) async fn check(
    dag: &Dag,
    lake: &Lake,
    node: &Node,
    inputs: &Inputs,
    lookup: Lookup,
) -> Result<(), PipelineError> {
    if !node.adds_records() {
        return match inputs.decision {
            Decision::Full(_) => inputs_are_whole(dag, lake, node, inputs, lookup).await,
            _ => Ok(()),
        };
    }
    if lookup.full_refresh {
        return Ok(());
    }
    match inputs.target.version() {
        None => was_not_deleted(dag, lake, node).await,
        Some(_) => {
            knows_its_positions(node, inputs).await?;
            has_its_rows(node, &inputs.target, lookup.read.on_loss).await
        }
    }
}

/// A table that is filled from sources holds what its positions say.
async fn has_its_rows(node: &Node, table: &LakeTable, on_loss: OnLoss) -> Result<(), PipelineError> {
    let last = last_commit(node, table).await?;
    if let Some(restored) = &last.restored {
        tracing::warn!(
            "`{}` was restored to version {} ({}): what was read after that version is read again",
            node.name(),
            restored.to,
            restored.by
        );
    }
    match last.rows_taken() {
        Some(other) => refuse(node, last, other, on_loss),
        None => Ok(()),
    }
}

/// A table that does not exist has not been read by anybody.
async fn was_not_deleted(dag: &Dag, lake: &Lake, node: &Node) -> Result<(), PipelineError> {
    let any = positions::of_table(node.name(), "");
    let mut others = dag.nodes().iter().filter(|other| other.step.mode != Mode::View);
    while let Some(reader) = others.find(|other| other.inputs().any(|input| input == node.name())) {
        let failed = |error| reader.lake_error(error);
        let table = lake.table(reader.name()).await.map_err(failed)?;
        let stored = table.transactions().await.map_err(failed)?;
        if stored.is_some_and(|stored| stored.keys().any(|id| id.starts_with(&any))) {
            // Another process may have made and read it since it was looked for.
            let now = lake.table(node.name()).await;
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

/// The inputs that come from sources hold all that was read into them, and are the very tables that were read before.
/// Otherwise a table would be computed from a part of its input, and nobody would notice.
async fn inputs_are_whole(
    dag: &Dag,
    lake: &Lake,
    node: &Node,
    inputs: &Inputs,
    lookup: Lookup,
) -> Result<(), PipelineError> {
    let failed = |error| node.lake_error(error);
    let stored = match lookup.full_refresh {
        true => None,
        false => inputs.target.transactions().await.map_err(failed)?,
    };
    for input in node.inputs() {
        let Some(maker) = dag.get(input).filter(|maker| maker.adds_records()) else {
            continue;
        };
        let table = lake.table(input).await.map_err(failed)?;
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
