//! What the names in a step's SQL stand for, once its inputs are found.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::catalog::TableProvider;
use datafusion::datasource::empty::EmptyTable;

use super::Finder;
use crate::config::{Mode, TableName};
use crate::engine::Bindings;
use crate::lake::LakeTable;
use crate::pipeline::PipelineError;

impl Finder<'_> {
    /// What the names of the inputs stand for.
    pub(super) async fn tables(&self, target: &LakeTable, bindings: &mut Bindings) -> Result<(), PipelineError> {
        for input in &self.inputs {
            let name = input.table.name();
            if self.node.tables.contains(name) {
                bindings.tables.insert(name.clone(), self.snapshot(&input.table).await?);
            }
            if self.node.changed_tables.contains(name) {
                let changes = match input.table.version().filter(|_| self.full.is_none()) {
                    None => self.snapshot(&input.table).await?,
                    Some(_) => Arc::new(input.changes.scan(&input.table).map_err(|error| self.failed(error))?),
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
    pub(super) async fn beside(&self, bindings: &mut Bindings) -> Result<(), PipelineError> {
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
    pub(super) async fn expectations(&self) -> Result<BTreeMap<TableName, Arc<dyn TableProvider>>, PipelineError> {
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
            schema.unwrap_or_else(|| Arc::new(Schema::empty())),
        )))
    }
}
