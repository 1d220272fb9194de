use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::datasource::empty::EmptyTable;
use datafusion::execution::SessionState;

use super::{Node, PipelineError};
use crate::config::{Mode, TableName};
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
#[derive(Debug)]
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
            full: first_reason(node, &target, lookup.full_refresh).await?,
            transactions: BTreeMap::from([(positions::SQL.to_owned(), node.fingerprint)]),
            inputs: vec![],
        };
        for name in node.inputs() {
            finder.table(name, &target).await?;
        }
        finder.finish(target).await
    }
}

/// A reason to rebuild that does not depend on the inputs.
async fn first_reason(node: &Node, target: &LakeTable, full_refresh: bool) -> Result<Option<String>, PipelineError> {
    if target.version().is_none() {
        return Ok(Some("its table does not exist yet".to_owned()));
    }
    if full_refresh {
        return Ok(Some("a full refresh was asked for".to_owned()));
    }
    let stored = target
        .transaction(positions::SQL)
        .await
        .map_err(|error| node.lake_error(error))?;
    // What a source still holds may be less than what was read from it: that table is never rebuilt unasked.
    if stored != Some(node.fingerprint) && node.sources.is_empty() {
        return Ok(Some("its SQL has changed".to_owned()));
    }
    Ok(None)
}

struct Finder<'a> {
    node: &'a Node,
    world: World<'a>,
    read: ReadOptions,
    /// Start from nothing, also where a table is there to start from.
    cold: bool,
    full: Option<String>,
    transactions: BTreeMap<String, i64>,
    inputs: Vec<Input>,
}

impl Finder<'_> {
    fn failed(&self, source: LakeError) -> PipelineError {
        self.node.lake_error(source)
    }

    async fn table(&mut self, name: &TableName, target: &LakeTable) -> Result<(), PipelineError> {
        let table = if name == target.name() {
            target.clone()
        } else {
            self.world.lake.table(name).await.map_err(|error| self.failed(error))?
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
        let records = self.sources(&target, &mut bindings).await?;
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
                let nothing = records == 0 && self.read_in_part().all(|input| input.changes.is_empty());
                if nothing {
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

    /// Binds the sources, and takes over their positions. How many records wait.
    async fn sources(&mut self, target: &LakeTable, bindings: &mut Bindings) -> Result<u64, PipelineError> {
        if self.full.is_none() {
            self.keep_positions(target).await?;
        }
        let mut records = 0;
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
            bindings.changes.insert(name.clone(), pending.provider);
            let positions = pending.next.iter();
            self.transactions
                .extend(positions.map(|(place, next)| (positions::of_source(name, place), *next)));
        }
        Ok(records)
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

    async fn tables(&self, target: &LakeTable, bindings: &mut Bindings) -> Result<(), PipelineError> {
        for input in &self.inputs {
            let name = input.table.name();
            if self.node.tables.contains(name) {
                bindings.tables.insert(name.clone(), self.snapshot(&input.table).await?);
            }
            if self.node.changed_tables.contains(name) {
                let changes = match self.full {
                    Some(_) => self.snapshot(&input.table).await?,
                    None => Arc::new(input.changes.scan(&input.table).map_err(|error| self.failed(error))?),
                };
                bindings.changes.insert(name.to_string(), changes);
            }
        }
        if self.full.is_none() && self.node.step.mode != Mode::Overwrite && target.version().is_some() {
            bindings.previous = Some(self.snapshot(target).await?);
        }
        Ok(())
    }

    /// What is read beside the inputs, without being waited for: tables to start from, and versions.
    async fn beside(&self, bindings: &mut Bindings) -> Result<(), PipelineError> {
        for name in &self.node.warm_starts {
            let table = self.world.lake.table(name).await.map_err(|error| self.failed(error))?;
            let provider = match table.version() {
                Some(_) if !self.cold => self.snapshot(&table).await?,
                _ => Arc::new(EmptyTable::new(Arc::new(arrow::datatypes::Schema::empty()))),
            };
            bindings.tables.entry(name.clone()).or_insert(provider);
        }
        for name in &self.node.latest {
            let table = self.world.lake.table(name).await.map_err(|error| self.failed(error))?;
            let provider = self.snapshot(&table).await?;
            bindings.latest.insert(name.to_string(), provider);
        }
        for name in &self.node.versions {
            let known = self
                .inputs
                .iter()
                .map(|input| &input.table)
                .find(|table| table.name() == name);
            let table = match known {
                Some(table) => table.clone(),
                None => self.world.lake.table(name).await.map_err(|error| self.failed(error))?,
            };
            bindings
                .versions
                .extend(table.version().map(|version| (name.to_string(), version)));
        }
        Ok(())
    }

    async fn expectations(&self) -> Result<BTreeMap<TableName, Arc<dyn TableProvider>>, PipelineError> {
        let mut tables = BTreeMap::new();
        for name in &self.node.expectations {
            let table = self.world.lake.table(name).await.map_err(|error| self.failed(error))?;
            tables.insert(name.clone(), self.snapshot(&table).await?);
        }
        Ok(tables)
    }

    async fn snapshot(&self, table: &LakeTable) -> Result<Arc<dyn TableProvider>, PipelineError> {
        if table.version().is_some() {
            let provider = match self.full {
                Some(_) => table.provider(self.world.session).await,
                None => table.lookup_provider(self.world.session).await,
            };
            return provider.map_err(|error| self.failed(error));
        }
        let schema = self.world.schemas.get(table.name()).cloned();
        Ok(Arc::new(EmptyTable::new(
            schema.unwrap_or_else(|| Arc::new(arrow::datatypes::Schema::empty())),
        )))
    }
}
