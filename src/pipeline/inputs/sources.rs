//! The waiting records of a step's sources: asks each source what arrived after the positions in the step's table.
//! Keeps the positions of places that are missing at the moment, and refuses a source that was renamed. Keeps
//! nothing of snapshots: their files may differ each time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::catalog::TableProvider;

use crate::lake::LakeTable;
use crate::lake::positions::{self, SourcePositions};
use crate::pipeline::decide::{Loss, SourceFacts};
use crate::pipeline::{Node, PipelineError, removed_rows};
use crate::sources::{Committed, FromTheStart, ReadOptions, Source, Unproven, named_records};

/// The waiting records of a step's sources.
#[derive(Default)]
pub(super) struct FoundSources {
    /// The facts for the decision.
    pub facts: SourceFacts,
    /// The waiting records, by source.
    pub records: BTreeMap<String, Arc<dyn TableProvider>>,
    /// Application IDs and versions to commit with them.
    pub positions: BTreeMap<String, i64>,
    /// Trusted files that were not read to their end, by source.
    pub unproven: BTreeMap<String, Unproven>,
}

impl FoundSources {
    /// Asks the sources for waiting records: all, or those after the positions in the step's table.
    pub async fn ask(
        node: &Node,
        sources: &BTreeMap<String, Arc<dyn Source>>,
        target: &LakeTable,
        mut read: ReadOptions,
        from_start: bool,
    ) -> Result<Self, PipelineError> {
        let mut found = Self::default();
        if !from_start {
            found.facts.loss = removed_rows::loss(node, target).await?;
            if node.adds_records() {
                found.positions = kept_positions(node, target).await?;
            }
        }
        if found.facts.loss == Loss::ReadAgain {
            // All at once, or it would be unknown whether the source still has all of it.
            read.records_max = None;
        }
        for name in &node.sources {
            let Some(source) = sources.get(name) else { continue };
            let stored = SourcePositions {
                table: target,
                source: name,
            };
            let committed: &dyn Committed = if from_start { &FromTheStart } else { &stored };
            let pending = source.pending(committed, read).await;
            let pending = pending.map_err(|error| node.source_error(name, error))?;
            found.facts.records += pending.records;
            found.facts.keep |= pending.keep;
            if let Some(reason) = pending.not_taken {
                found.facts.not_taken = Some(format!("the snapshot `{name}` was not read: {reason}"));
            }
            found.unproven.insert(name.clone(), pending.unproven);
            found
                .records
                .insert(name.clone(), named_records(name, pending.provider)?);
            let next = pending.next.iter();
            let next = next.map(|(place, next)| (positions::of_source(name, place), *next));
            found.positions.extend(next);
        }
        if found.facts.loss == Loss::ReadAgain {
            removed_rows::is_read_again(node, target, read.on_loss, &found.positions).await?;
        }
        Ok(found)
    }
}

/// Keeps positions of places that are missing at the moment: a file may come back. Refuses a table that was filled from
/// a source of another name, because everything would be read again.
async fn kept_positions(node: &Node, target: &LakeTable) -> Result<BTreeMap<String, i64>, PipelineError> {
    let stored = target.transactions().await;
    let Some(stored) = stored.map_err(|error| node.lake_error(error))? else {
        return Ok(BTreeMap::new());
    };
    let of_sources = stored
        .iter()
        .filter_map(|(id, position)| Some((positions::source_of(id)?, id, *position)));
    let known: BTreeSet<&str> = of_sources.clone().map(|(source, ..)| source).collect();
    let gone = known.iter().find(|source| !node.sources.contains(**source));
    let new = node.sources.iter().find(|source| !known.contains(source.as_str()));
    if let (Some(gone), Some(new)) = (gone, new) {
        return Err(PipelineError::SourceRenamed {
            step: node.name().to_string(),
            old: (*gone).to_owned(),
            new: new.clone(),
        });
    }
    Ok(of_sources.map(|(_, id, position)| (id.clone(), position)).collect())
}
