//! The state at one moment: the facts for the decision, and the tables and sources they describe.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};

use super::sources::FoundSources;
use super::{Lookup, World};
use crate::config::{OnChange, TableName};
use crate::lake::{Changes, Lake, LakeError, LakeTable, positions};
use crate::pipeline::decide::{Facts, InputFacts, LakeFacts, News, Others, Reads, Refresh, TableFacts};
use crate::pipeline::{Node, PipelineError};

/// The state that a step finds.
pub(super) struct Found<'a> {
    pub node: &'a Node,
    pub world: World<'a>,
    /// The facts for the decision.
    pub facts: Facts,
    /// The step's own table.
    pub target: LakeTable,
    pub inputs: Vec<Input>,
    pub sources: FoundSources,
    /// Whether everything is read from the beginning: see [`LakeFacts::rebuild`].
    pub from_start: bool,
    /// Whether models start from nothing even if there is a table to start from.
    pub cold: bool,
}

/// One table that a step reads.
pub(super) struct Input {
    pub table: LakeTable,
    /// What arrived since the step last committed; everything if that is unknown.
    pub changes: Changes,
    /// Why everything has to be read, if it has to.
    reread: Option<String>,
    /// The application ID and the version to commit; `None` where the table does not exist.
    pub position: Option<(String, i64)>,
}

impl<'a> Found<'a> {
    /// Looks at a step's table, at the tables that it reads, and at its sources.
    pub async fn look(node: &'a Node, world: World<'a>, lookup: Lookup) -> Result<Self, PipelineError> {
        let target = world
            .lake
            .table(node.name())
            .await
            .map_err(|error| node.lake_error(error))?;
        let planned = world.schemas.get(node.name());
        let table = own_table(node, &target, planned, lookup).await?;
        let mut finder = Finder {
            node,
            lake: world.lake,
            target: &target,
            opened: BTreeMap::new(),
        };
        let mut inputs = vec![];
        for name in node.inputs() {
            inputs.push(finder.input(name).await?);
        }
        let lake = LakeFacts {
            reads: reads(node),
            full_refresh: lookup.full_refresh,
            forward: forward(node, lookup),
            fingerprint: node.fingerprint,
            layout: node.layout,
            table,
            inputs: inputs.iter().map(|input| input.facts(node)).collect(),
            refresh: refresh(node, &inputs),
        };
        let from_start = lake.rebuild().is_some();
        if lake.reads == Reads::Sources && !from_start {
            refuse_rereads(node, &target, &inputs).await?;
        }
        let sources = FoundSources::ask(node, world.sources, &target, lookup.read, from_start).await?;
        Ok(Self {
            node,
            world,
            facts: Facts {
                lake,
                sources: sources.facts.clone(),
            },
            target,
            inputs,
            sources,
            from_start,
            cold: lookup.full_refresh || lookup.cold,
        })
    }
}

/// Whether older rows stay as they are where the logic has changed.
fn forward(node: &Node, lookup: Lookup) -> bool {
    lookup.forward || node.step.on_change != OnChange::Rebuild
}

/// How the step's SQL reads its inputs.
fn reads(node: &Node) -> Reads {
    match (node.adds_records(), node.changed_tables.is_empty()) {
        (true, _) => Reads::Sources,
        (false, false) => Reads::Changes,
        (false, true) => Reads::Whole,
    }
}

/// A table that is filled from sources is never rebuilt automatically, so rows of other tables that it has read must
/// not arrive again as new ones.
async fn refuse_rereads(node: &Node, target: &LakeTable, inputs: &[Input]) -> Result<(), PipelineError> {
    for input in inputs.iter().filter(|input| input.drives(node)) {
        let Some(reason) = &input.reread else { continue };
        let any = positions::of_table(input.table.name(), "");
        let stored = target.transactions().await.map_err(|error| node.lake_error(error))?;
        if stored.is_some_and(|stored| stored.keys().any(|id| id.starts_with(&any))) {
            return Err(PipelineError::ReadBefore {
                table: node.name().to_string(),
                reason: reason.clone(),
            });
        }
    }
    Ok(())
}

/// How much of the inputs is new, if the step waits for that.
fn refresh(node: &Node, inputs: &[Input]) -> Option<Refresh> {
    node.step.refresh_after.map(|after| Refresh {
        after,
        rows: inputs.iter().map(|input| input.table.rows()).sum(),
        new: inputs.iter().map(|input| input.changes.rows()).sum(),
    })
}

/// The step's own table. Reads no more than the decision needs, so that a table that is replaced, or never rebuilt
/// automatically, may have an unreadable log or columns.
async fn own_table(
    node: &Node,
    target: &LakeTable,
    planned: Option<&SchemaRef>,
    lookup: Lookup,
) -> Result<Option<TableFacts>, PipelineError> {
    if target.version().is_none() {
        return Ok(None);
    }
    let mut facts = TableFacts::default();
    if lookup.full_refresh || node.adds_records() {
        return Ok(Some(facts));
    }
    let failed = |error| node.lake_error(error);
    facts.fingerprint = target.transaction(positions::SQL).await.map_err(failed)?;
    let is_changed = facts.fingerprint != Some(node.fingerprint);
    if is_changed && forward(node, lookup) {
        facts.layout = target.transaction(positions::LAYOUT).await.map_err(failed)?;
        // Its columns differ anyway: whether they fit is checked before anything is written (`step/shape.rs`).
        facts.others = others(target, None).await.map_err(failed)?;
    } else if !is_changed {
        facts.others = others(target, planned).await.map_err(failed)?;
    }
    Ok(Some(facts))
}

/// What others did to the table; their changes of columns count where the columns are not as planned.
async fn others(target: &LakeTable, planned: Option<&SchemaRef>) -> Result<Others, LakeError> {
    let last = target.last_commit().await?;
    if let Some(other) = last.rows_changed() {
        return Ok(Others::Rows(other.to_string()));
    }
    let Some(other) = last.others.first() else {
        return Ok(Others::Nothing);
    };
    let columns = target.schema()?;
    let same = columns
        .zip(planned)
        .is_none_or(|(has, planned)| has_same_columns(&has, planned));
    Ok(match same {
        true => Others::Nothing,
        false => Others::Columns(other.to_string()),
    })
}

fn has_same_columns(a: &Schema, b: &Schema) -> bool {
    let is_same = |field: &Arc<Field>| {
        b.field_with_name(field.name())
            .is_ok_and(|b| b.data_type() == field.data_type())
    };
    a.fields().len() == b.fields().len() && a.fields().iter().all(is_same)
}

impl Input {
    /// Whether the step runs for what is new in it: for the tables of which it reads the changes, if it reads changes.
    pub fn drives(&self, node: &Node) -> bool {
        reads(node) == Reads::Whole || node.changed_tables.contains(self.table.name())
    }

    fn facts(&self, node: &Node) -> InputFacts {
        let news = match (self.changes.is_empty(), self.changes.is_unchanged()) {
            (true, true) if !self.changes.erases() => News::None,
            (true, _) => News::Fewer,
            (false, _) => News::Rows,
        };
        InputFacts {
            drives: self.drives(node),
            news,
            reread: self.reread.clone(),
        }
    }
}

/// Opens the tables that a step reads.
struct Finder<'a> {
    node: &'a Node,
    lake: &'a Lake,
    /// The step's own table.
    target: &'a LakeTable,
    /// Tables as they were when they were first looked at.
    opened: BTreeMap<TableName, LakeTable>,
}

impl Finder<'_> {
    fn failed(&self, source: LakeError) -> PipelineError {
        self.node.lake_error(source)
    }

    /// A table, and what of it the step has not read.
    async fn input(&mut self, name: &TableName) -> Result<Input, PipelineError> {
        let table = if name == self.target.name() {
            self.target.clone()
        } else {
            self.open(name).await?
        };
        let (Some(version), Some(id)) = (table.version(), table.id()) else {
            return Ok(Input {
                table,
                changes: Changes::default(),
                reread: None,
                position: None,
            });
        };
        let app_id = positions::of_table(name, &id);
        let read = self.target.transaction(&app_id).await;
        let read = read.map_err(|error| self.failed(error))?;
        let since = match read.and_then(|read| u64::try_from(read).ok()) {
            Some(read) => Changes::since(&table, read)
                .await
                .map_err(|error| self.failed(error))?
                .map_err(|replaced| replaced.to_string()),
            None => Err("it has not been read yet".to_owned()),
        };
        let (changes, reread) = match since {
            Ok(changes) => (changes, None),
            Err(reason) => (Changes::all(&table), Some(format!("`{name}`: {reason}"))),
        };
        Ok(Input {
            table,
            changes,
            reread,
            position: Some((app_id, i64::try_from(version).unwrap_or(i64::MAX))),
        })
    }

    /// A table as far as it may be read. Where another input is made of its changes, that is as far as that one has
    /// read it: a step that asks what became of each record must not see records that nobody has judged yet.
    async fn open(&mut self, name: &TableName) -> Result<LakeTable, PipelineError> {
        let node = self.node;
        let mut judges = vec![];
        for judge in node.judged_by.get(name).into_iter().flatten() {
            judges.push(self.as_first_seen(judge).await?);
        }
        // After its judges, so that it is no older than what they have read.
        let table = self.as_first_seen(name).await?;
        let failed = |error| node.lake_error(error);
        let (Some(now), Some(id)) = (table.version(), table.id()) else {
            return Ok(table);
        };
        let mut until = now;
        for judge in judges.iter().filter(|judge| judge.version().is_some()) {
            let read = judge.transaction(&positions::of_table(name, &id)).await;
            let read = read.map_err(failed)?.and_then(|read| u64::try_from(read).ok());
            until = until.min(read.unwrap_or(now));
        }
        // A compaction since then brought no rows.
        if until == now
            || matches!(Changes::since(&table, until).await.map_err(failed)?, Ok(since) if since.is_unchanged())
        {
            return Ok(table);
        }
        table.as_of(until).await.map_err(failed)
    }

    async fn as_first_seen(&mut self, name: &TableName) -> Result<LakeTable, PipelineError> {
        if let Some(table) = self.opened.get(name) {
            return Ok(table.clone());
        }
        let table = self.lake.table(name).await.map_err(|error| self.failed(error))?;
        self.opened.insert(name.clone(), table.clone());
        Ok(table)
    }
}
