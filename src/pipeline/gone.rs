//! Tables that were deleted, or made anew, behind the back of the steps.
//!
//! What a step computes from tables it can compute again, and says so. A table that is filled from a source cannot be
//! made again from it for certain, as the source may hold less by now: that is never done unasked.

use super::inputs::Lookup;
use super::{Decision, Inputs, Node, PipelineError, Runner};
use crate::config::Mode;
use crate::lake::positions;

/// Refuses what would silently start from nothing.
pub(super) async fn check(runner: &Runner, node: &Node, inputs: &Inputs, lookup: Lookup) -> Result<(), PipelineError> {
    if lookup.full_refresh {
        return Ok(());
    }
    if !node.sources.is_empty() {
        return match inputs.target.version() {
            None => was_not_deleted(runner, node).await,
            Some(_) => knows_its_positions(node, inputs).await,
        };
    }
    match inputs.decision {
        Decision::Full(_) => inputs_are_the_same(runner, node, inputs).await,
        _ => Ok(()),
    }
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

/// The inputs that come from sources are the very tables that were read before.
async fn inputs_are_the_same(runner: &Runner, node: &Node, inputs: &Inputs) -> Result<(), PipelineError> {
    let stored = inputs
        .target
        .transactions()
        .await
        .map_err(|error| node.lake_error(error))?;
    let Some(stored) = stored else { return Ok(()) };
    let from_sources = |input: &&_| runner.dag().get(input).is_some_and(|maker| !maker.sources.is_empty());
    for input in node.inputs().filter(from_sources) {
        let any = positions::of_table(input, "");
        let mut read = stored.keys().filter(|id| id.starts_with(&any)).peekable();
        if read.peek().is_some() && read.all(|id| !inputs.transactions.contains_key(id)) {
            return Err(PipelineError::TableReplaced {
                table: input.to_string(),
                reader: node.name().to_string(),
            });
        }
    }
    Ok(())
}
