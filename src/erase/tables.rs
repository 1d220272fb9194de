//! The tables that are searched: all that steps make or read, in the order in which rows flow, those of the system, and
//! whatever else lies in the lake.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::dataframe::DataFrame;
use datafusion::prelude::SessionContext;

use super::ErasureError;
use crate::config::TableName;
use crate::lake::{At, DataFilesScan, LakeTable};
use crate::pipeline::{Runner, system};

/// The tables of a lake, as they were when they were opened.
pub(super) struct Tables {
    pub all: Vec<Table>,
    /// Whether files that tables no longer name are searched too.
    with_old_files: bool,
    session: SessionContext,
}

/// A table that exists.
pub(super) struct Table {
    pub table: LakeTable,
    schema: SchemaRef,
}

impl Table {
    pub fn name(&self) -> &TableName {
        self.table.name()
    }

    pub fn schema(&self) -> &Schema {
        &self.schema
    }
}

impl Tables {
    /// Opens them.
    ///
    /// # Errors
    /// When one cannot be opened.
    pub async fn open(runner: &Runner, with_old_files: bool) -> Result<Self, ErasureError> {
        let lake = runner.lake();
        let mut opened = runner.tables_at(At::Now).await?;
        let mut known: BTreeSet<TableName> = opened.iter().map(|table| table.name().clone()).collect();
        for name in lake.files().await?.iter().filter_map(|file| file.table()) {
            if known.insert(name.clone()) {
                opened.push(lake.table(&name).await?);
            }
        }
        let mut all = vec![];
        for table in opened {
            if *table.name() == system::name(system::ERASURES) {
                continue;
            }
            if let Some(schema) = table.schema()? {
                all.push(Table { table, schema });
            }
        }
        Ok(Self {
            all,
            with_old_files,
            session: runner.upkeep_session().await?,
        })
    }

    /// A session over their store.
    pub fn session(&self) -> &SessionContext {
        &self.session
    }

    /// The rows of a table.
    ///
    /// # Errors
    /// When its files cannot be listed, or use a feature that cannot be read.
    pub async fn rows_of(&self, table: &Table) -> Result<DataFrame, ErasureError> {
        table.table.register_store(&self.session.state())?;
        let scan = match self.with_old_files {
            true => table.table.scan_with_old_files().await?,
            false => DataFilesScan::whole(&table.table)?,
        };
        Ok(self.session.read_table(Arc::new(scan))?)
    }
}
