//! What the names in a step's SQL stand for: what `changes('…')`, `latest('…')`, `previous('…')` and plain tables read,
//! once it is decided what to do with what was found. `engine/functions.rs` takes the calls' rows from here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::catalog::TableProvider;
use datafusion::datasource::empty::EmptyTable;

use super::Inputs;
use super::found::Found;
use crate::config::{Mode, TableName};
use crate::engine::Bindings;
use crate::lake::{LakeError, LakeTable, positions};
use crate::pipeline::decide::Reads;
use crate::pipeline::{Decision, PipelineError};

impl Found<'_> {
    /// Binds what the step reads. A step that has nothing to do has its inputs too: a replay may find work for it.
    pub async fn bind(self, decision: Decision) -> Result<Inputs, PipelineError> {
        let mut bindings = Bindings {
            views: self.node.views.clone(),
            changes: self.sources.records.clone(),
            ..Bindings::default()
        };
        self.tables(&mut bindings).await?;
        self.beside(&mut bindings).await?;
        Ok(Inputs {
            bindings,
            expectations: self.expectations().await?,
            waiting: self.waiting(),
            transactions: self.transactions(&decision).await?,
            unproven: self.sources.unproven,
            target: self.target,
            decision,
        })
    }

    fn failed(&self, source: LakeError) -> PipelineError {
        self.node.lake_error(source)
    }

    /// How far the step will have read, and with which logic.
    async fn transactions(&self, decision: &Decision) -> Result<BTreeMap<String, i64>, PipelineError> {
        let of_tables = self.inputs.iter().filter_map(|input| input.position.clone());
        let logic = (positions::SQL.to_owned(), self.node.fingerprint);
        Ok([logic]
            .into_iter()
            .chain(self.since(decision).await?)
            .chain(of_tables)
            .chain(self.sources.positions.clone())
            .collect())
    }

    /// The layout of the table, since when new rows are of the step's logic, and which older rows are of it again. Only a
    /// step that reads changes can have rows of several logics that are told apart.
    async fn since(&self, decision: &Decision) -> Result<Vec<(String, i64)>, PipelineError> {
        if self.facts.lake.reads != Reads::Changes {
            return Ok(vec![]);
        }
        let mut since = vec![(positions::LAYOUT, self.node.layout)];
        match decision {
            Decision::Full(_) => since.push((positions::SINCE, 0)),
            Decision::Forward(_) => since.extend(positions::since_now()),
            Decision::UpToDate(_) | Decision::Incremental | Decision::Backfill(_) => {
                for id in [positions::SINCE, positions::BACKFILL] {
                    let kept = self.target.transaction(id).await;
                    since.extend(kept.map_err(|error| self.failed(error))?.map(|kept| (id, kept)));
                }
            }
        }
        Ok(since
            .into_iter()
            .map(|(id, version)| (id.to_owned(), version))
            .collect())
    }

    /// Columns that the step's SQL has and its table does not have yet.
    fn added(&self) -> Result<BTreeSet<String>, PipelineError> {
        let has = self.target.schema().map_err(|error| self.failed(error))?;
        let (Some(has), Some(planned)) = (has, self.world.schemas.get(self.node.name())) else {
            return Ok(BTreeSet::new());
        };
        let names = planned.fields().iter().map(|field| field.name());
        Ok(names.filter(|name| has.index_of(name).is_err()).cloned().collect())
    }

    /// Rows and records that wait, where that is known without reading them.
    fn waiting(&self) -> Option<u64> {
        let rows: Option<u64> = match self.from_start {
            true => Some(self.inputs.iter().map(|input| input.table.rows()).sum()),
            false => {
                let drivers = self.inputs.iter().filter(|input| input.drives(self.node));
                drivers.map(|input| input.changes.rows()).sum()
            }
        };
        rows.map(|rows| self.facts.sources.records + rows)
    }

    /// What the names of the inputs stand for.
    async fn tables(&self, bindings: &mut Bindings) -> Result<(), PipelineError> {
        for input in &self.inputs {
            let name = input.table.name();
            if self.node.tables.contains(name) {
                bindings.tables.insert(name.clone(), self.snapshot(&input.table).await?);
            }
            if self.node.changed_tables.contains(name) {
                let changes = match input.table.version().filter(|_| !self.from_start) {
                    None => self.snapshot(&input.table).await?,
                    Some(_) => Arc::new(input.changes.scan(&input.table).map_err(|error| self.failed(error))?),
                };
                bindings.changes.insert(name.to_string(), changes);
            }
        }
        if !self.from_start && self.node.step.mode != Mode::Overwrite && self.target.version().is_some() {
            bindings.previous = Some(self.snapshot(&self.target).await?);
            if self.node.reads_itself {
                bindings.added = self.added()?;
            }
        }
        Ok(())
    }

    /// What is read in addition to the inputs, without being waited for: tables to start from, and versions.
    async fn beside(&self, bindings: &mut Bindings) -> Result<(), PipelineError> {
        for name in &self.node.warm_starts {
            let table = self.world.lake.table(name).await.map_err(|error| self.failed(error))?;
            let provider = match table.version() {
                Some(_) if !self.cold => self.snapshot(&table).await?,
                _ => Arc::new(EmptyTable::new(Arc::new(Schema::empty()))),
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

    /// The tables that the expectations read.
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
            let provider = match self.from_start {
                true => table.provider(self.world.session).await,
                false => table.lookup_provider(self.world.session).await,
            };
            return provider.map_err(|error| self.failed(error));
        }
        let schema = self.world.schemas.get(table.name()).cloned();
        Ok(Arc::new(EmptyTable::new(
            schema.unwrap_or_else(|| Arc::new(Schema::empty())),
        )))
    }
}
