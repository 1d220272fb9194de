mod bound;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::execution::SessionState;

use super::gone::{self, Loss};
use super::{Node, PipelineError};
use crate::config::TableName;
use crate::engine::Bindings;
use crate::lake::positions::{self, SourcePositions};
use crate::lake::{Changes, Lake, LakeError, LakeTable};
use crate::source::{Committed, FromTheStart, ReadOptions, Source};

/// What a step will do with what it finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing: its inputs hold nothing new.
    UpToDate(String),
    /// Reads what is new, and adds to its table.
    Incremental,
    /// Reads everything, and replaces its table; with the reason.
    Full(String),
}

/// What a step reads, fixed at one moment, and how far it will have read afterwards.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// The step's own table, as it was then.
    pub target: LakeTable,
    /// What the names in its SQL stand for.
    pub bindings: Bindings,
    /// What to do.
    pub decision: Decision,
    /// Application ids and versions to commit with the rows.
    pub transactions: BTreeMap<String, i64>,
    /// Tables that its expectations read, as they are.
    pub expectations: BTreeMap<TableName, Arc<dyn TableProvider>>,
    /// Rows and records that wait, where that is known without reading them.
    pub waiting: Option<u64>,
}

/// What [`Inputs::find`] looks at.
#[derive(Debug, Clone, Copy)]
pub struct World<'a> {
    /// The Delta tables.
    pub lake: &'a Lake,
    /// The sources by name.
    pub sources: &'a BTreeMap<String, Arc<dyn Source>>,
    /// The planned schema of every step, for tables that do not exist yet.
    pub schemas: &'a BTreeMap<TableName, SchemaRef>,
    /// For object stores.
    pub session: &'a SessionState,
}

/// How inputs are looked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lookup {
    /// Take everything as new, and rebuild the table.
    pub full_refresh: bool,
    /// How sources are read.
    pub read: ReadOptions,
    /// Start from nothing, also where a step has a table to start from (`warm_start`).
    pub cold: bool,
}

/// One table that a step reads.
struct Input {
    table: LakeTable,
    /// What arrived since the step last committed; everything where that cannot be told.
    changes: Changes,
    /// Why everything has to be read, where it has.
    reread: Option<String>,
}

impl Inputs {
    /// Finds what a step reads, what of it is new, and so what there is to do. Reads the log and the sources' ends,
    /// no rows.
    ///
    /// # Errors
    /// When the lake or a source does not answer, or a source has lost records that were not read yet.
    pub async fn find(node: &Node, world: World<'_>, lookup: Lookup) -> Result<Self, PipelineError> {
        let target = world
            .lake
            .table(node.name())
            .await
            .map_err(|error| node.lake_error(error))?;
        let mut finder = Finder {
            node,
            world,
            read: lookup.read,
            cold: lookup.full_refresh || lookup.cold,
            full: first_reason(node, &target, world.schemas.get(node.name()), lookup.full_refresh).await?,
            transactions: BTreeMap::from([(positions::SQL.to_owned(), node.fingerprint)]),
            opened: BTreeMap::new(),
            inputs: vec![],
        };
        for name in node.inputs() {
            finder.table(name, &target).await?;
        }
        finder.finish(target).await
    }
}

/// A reason to rebuild that does not depend on the inputs.
async fn first_reason(
    node: &Node,
    target: &LakeTable,
    planned: Option<&SchemaRef>,
    full_refresh: bool,
) -> Result<Option<String>, PipelineError> {
    if target.version().is_none() {
        return Ok(Some("its table does not exist yet".to_owned()));
    }
    if full_refresh {
        return Ok(Some("a full refresh was asked for".to_owned()));
    }
    // What a source still holds may be less than what was read from it: that table is never rebuilt unasked.
    if !node.sources.is_empty() {
        return Ok(None);
    }
    let failed = |error| node.lake_error(error);
    let stored = target.transaction(positions::SQL).await.map_err(failed)?;
    if stored != Some(node.fingerprint) {
        return Ok(Some("its SQL has changed".to_owned()));
    }
    let last = target.last_commit().await.map_err(failed)?;
    if let Some(other) = last.rows_changed() {
        return Ok(Some(format!("something else changed its rows: {other}")));
    }
    let Some(other) = last.others.first() else {
        return Ok(None);
    };
    let columns = target.schema().map_err(failed)?;
    let same = columns
        .zip(planned)
        .is_none_or(|(has, planned)| has_same_columns(&has, planned));
    Ok((!same).then(|| format!("something else changed its columns: {other}")))
}

fn has_same_columns(a: &Schema, b: &Schema) -> bool {
    let is_same = |field: &Arc<Field>| {
        b.field_with_name(field.name())
            .is_ok_and(|b| b.data_type() == field.data_type())
    };
    a.fields().len() == b.fields().len() && a.fields().iter().all(is_same)
}

struct Finder<'a> {
    node: &'a Node,
    world: World<'a>,
    read: ReadOptions,
    /// Start from nothing, also where a table is there to start from.
    cold: bool,
    full: Option<String>,
    transactions: BTreeMap<String, i64>,
    /// Tables as they were when they were first looked at.
    opened: BTreeMap<TableName, LakeTable>,
    inputs: Vec<Input>,
}

impl Finder<'_> {
    fn failed(&self, source: LakeError) -> PipelineError {
        self.node.lake_error(source)
    }

    /// A table as far as it may be read. Where another input is made of its changes, that is as far as that one has read
    /// it: a step that asks what became of each record must not see records that nobody has judged yet.
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
        let table = self.world.lake.table(name).await.map_err(|error| self.failed(error))?;
        self.opened.insert(name.clone(), table.clone());
        Ok(table)
    }

    async fn table(&mut self, name: &TableName, target: &LakeTable) -> Result<(), PipelineError> {
        let table = if name == target.name() {
            target.clone()
        } else {
            self.open(name).await?
        };
        let (Some(version), Some(id)) = (table.version(), table.id()) else {
            self.inputs.push(Input {
                table,
                changes: Changes::default(),
                reread: None,
            });
            return Ok(());
        };
        let app_id = positions::of_table(name, &id);
        let read = target.transaction(&app_id).await.map_err(|error| self.failed(error))?;
        let since = match read.and_then(|read| u64::try_from(read).ok()) {
            Some(read) => Changes::since(&table, read)
                .await
                .map_err(|error| self.failed(error))?
                .map_err(|e| e.to_string()),
            None => Err("it was not read before".to_owned()),
        };
        let (changes, reread) = match since {
            Ok(changes) => (changes, None),
            Err(reason) => (Changes::all(&table), Some(format!("`{name}`: {reason}"))),
        };
        self.transactions
            .insert(app_id, i64::try_from(version).unwrap_or(i64::MAX));
        self.inputs.push(Input { table, changes, reread });
        Ok(())
    }

    async fn finish(mut self, target: LakeTable) -> Result<Inputs, PipelineError> {
        let reread = self.inputs.iter().find_map(|input| input.reread.clone());
        let incremental = !self.node.changed_tables.is_empty() || !self.node.sources.is_empty();
        if self.full.is_none() && incremental && self.node.sources.is_empty() {
            self.full = reread.clone();
        }
        let mut bindings = Bindings {
            views: self.node.views.clone(),
            ..Bindings::default()
        };
        let loss = match &self.full {
            Some(_) => Loss::None,
            None => gone::loss(self.node, &target).await?,
        };
        if loss == Loss::ReadAgain {
            // All at once, or it could not be told whether all of it is there.
            self.read.records_max = None;
        }
        let (records, keep) = self.sources(&target, &mut bindings).await?;
        if loss == Loss::ReadAgain {
            gone::is_read_again(self.node, &target, self.read.on_loss, &self.transactions).await?;
        }
        self.tables(&target, &mut bindings).await?;
        self.beside(&mut bindings).await?;
        let expectations = self.expectations().await?;

        let changed: Option<u64> = match &self.full {
            Some(_) => Some(self.inputs.iter().map(|input| input.table.rows()).sum()),
            None => self.read_in_part().map(|input| input.changes.rows()).sum(),
        };
        let waiting = changed.map(|rows| records + rows);
        let decision = match self.full.take() {
            Some(reason) => Decision::Full(reason),
            None if incremental => {
                let nothing = records == 0 && !keep && self.read_in_part().all(|input| input.changes.is_empty());
                // What was lost, and is read again or accepted, is settled by a commit, be it without rows.
                if nothing && loss == Loss::None {
                    Decision::UpToDate("nothing new".to_owned())
                } else {
                    Decision::Incremental
                }
            }
            None => self.recompute(reread),
        };
        Ok(Inputs {
            target,
            bindings,
            decision,
            transactions: self.transactions,
            expectations,
            waiting,
        })
    }

    /// The inputs whose changes drive the step.
    fn read_in_part(&self) -> impl Iterator<Item = &Input> {
        let of_changes = !self.node.changed_tables.is_empty() || !self.node.sources.is_empty();
        self.inputs
            .iter()
            .filter(move |input| !of_changes || self.node.changed_tables.contains(input.table.name()))
    }

    /// A step without `changes('…')` is computed anew once its inputs have changed, or have changed enough.
    fn recompute(&self, reread: Option<String>) -> Decision {
        if let Some(reason) = reread {
            return Decision::Full(reason);
        }
        if self.inputs.iter().all(|input| input.changes.is_unchanged()) {
            return Decision::UpToDate("nothing new".to_owned());
        }
        let rows: u64 = self.inputs.iter().map(|input| input.table.rows()).sum();
        let changed: Option<u64> = self.inputs.iter().map(|input| input.changes.rows()).sum();
        match (self.node.step.refresh_after, changed) {
            (Some(threshold), Some(changed)) if (changed as f64) < threshold * rows as f64 => {
                let share = 100.0 * changed as f64 / rows as f64;
                let wanted = 100.0 * threshold;
                Decision::UpToDate(format!("{share:.1} % of its input is new, it waits for {wanted} %"))
            }
            _ => Decision::Full("its input has changed".to_owned()),
        }
    }

    /// Binds the sources, and takes over their positions. How many records wait, and whether the positions are worth a
    /// commit by themselves.
    async fn sources(&mut self, target: &LakeTable, bindings: &mut Bindings) -> Result<(u64, bool), PipelineError> {
        if self.full.is_none() {
            self.keep_positions(target).await?;
        }
        let (mut records, mut keep) = (0, false);
        for name in &self.node.sources {
            let Some(source) = self.world.sources.get(name) else {
                continue;
            };
            let stored = SourcePositions {
                table: target,
                source: name,
            };
            let committed: &dyn Committed = if self.full.is_some() { &FromTheStart } else { &stored };
            let pending = source
                .pending(committed, self.read)
                .await
                .map_err(|error| self.node.source_error(name, error))?;
            records += pending.records;
            keep |= pending.keep;
            bindings.changes.insert(name.clone(), pending.provider);
            let positions = pending.next.iter();
            self.transactions
                .extend(positions.map(|(place, next)| (positions::of_source(name, place), *next)));
        }
        Ok((records, keep))
    }

    /// Positions of places that are not there at the moment stay: a file may come back. A table that was filled from a
    /// source of another name is refused, as everything would be read again.
    async fn keep_positions(&mut self, target: &LakeTable) -> Result<(), PipelineError> {
        let Some(stored) = target.transactions().await.map_err(|error| self.failed(error))? else {
            return Ok(());
        };
        let of_sources = stored
            .iter()
            .filter_map(|(id, position)| Some((positions::source_of(id)?, id, *position)));
        let known: BTreeSet<&str> = of_sources.clone().map(|(source, ..)| source).collect();
        let gone = known.iter().find(|source| !self.node.sources.contains(**source));
        let new = self.node.sources.iter().find(|source| !known.contains(source.as_str()));
        if let (Some(gone), Some(new)) = (gone, new) {
            return Err(PipelineError::SourceRenamed {
                step: self.node.name().to_string(),
                old: (*gone).to_owned(),
                new: new.clone(),
            });
        }
        self.transactions
            .extend(of_sources.map(|(_, id, position)| (id.clone(), position)));
        Ok(())
    }
}
