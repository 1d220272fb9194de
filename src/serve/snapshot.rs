//! One version of each table, opened together: whatever a request reads belongs to the same state of the lake. `watch`
//! opens a new one when a commit lands. What names stand for in it comes from `Runner::bindings`
//! (`pipeline/lake_bindings.rs`).

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::prelude::SessionContext;

use crate::config::TableName;
use crate::engine::Bindings;
use crate::lake::Version;
use crate::pipeline::{PipelineError, Runner};
use crate::sources::layer;

/// The versions of existing tables, by name.
pub(super) type Versions = BTreeMap<String, Version>;

/// A snapshot of the lake: one version of each table, for all queries of a request.
pub(super) struct Snapshot {
    pub versions: Versions,
    pub bindings: Bindings,
    pub session: SessionContext,
}

impl Snapshot {
    pub async fn open(runner: &Runner) -> Result<Self, PipelineError> {
        let bindings = runner.bindings().await?;
        Self::over(runner, bindings).await
    }

    pub async fn over(runner: &Runner, bindings: Bindings) -> Result<Self, PipelineError> {
        Ok(Self {
            versions: bindings.versions.clone().into_iter().collect(),
            session: runner.engine().session(&bindings).await?,
            bindings,
        })
    }

    /// The tables of the lake: no topics, sources, or views, which may read those.
    pub fn lake_tables(&self) -> BTreeMap<TableName, Arc<dyn TableProvider>> {
        let tables = self
            .bindings
            .tables
            .iter()
            .filter(|(name, _)| layer(&name.layer).is_none());
        tables.map(|(name, table)| (name.clone(), table.clone())).collect()
    }

    /// The columns of a table; `None` if there is no such table.
    pub fn columns(&self, table: &TableName) -> Option<SchemaRef> {
        self.bindings.tables.get(table).map(|table| table.schema())
    }

    /// Whether a table has a column; a table written by an older version may lack it.
    pub fn has_column(&self, table: &str, column: &str) -> bool {
        let columns = table.parse().ok().and_then(|name: TableName| self.columns(&name));
        columns.is_some_and(|columns| columns.column_with_name(column).is_some())
    }

    /// Whether queries can name a table or view, even if it does not exist yet.
    pub fn can_read(&self, table: &str) -> bool {
        let is_bound = |name: TableName| {
            let mut views = self.bindings.views.iter();
            self.bindings.tables.contains_key(&name) || views.any(|view| view.name == name)
        };
        table.parse::<TableName>().is_ok_and(is_bound)
    }

    /// Whether a table exists.
    pub fn has(&self, table: impl Display) -> bool {
        self.version(table).is_some()
    }

    /// The version of a table that exists.
    pub fn version(&self, table: impl Display) -> Option<Version> {
        self.versions.get(&table.to_string()).copied()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::disallowed_methods)]

    use arrow::datatypes::Schema;
    use datafusion::datasource::empty::EmptyTable;

    use super::*;
    use crate::engine::View;

    #[test]
    fn queries_can_name_tables_and_views() {
        let table: Arc<dyn TableProvider> = Arc::new(EmptyTable::new(Arc::new(Schema::empty())));
        let view = View {
            name: "gold.requests".parse().unwrap(),
            sql: "select 1".to_owned(),
        };
        let snapshot = Snapshot {
            versions: Versions::new(),
            bindings: Bindings {
                tables: BTreeMap::from([("silver.events".parse().unwrap(), table)]),
                views: vec![view],
                ..Bindings::default()
            },
            session: SessionContext::new(),
        };
        assert!(snapshot.can_read("silver.events") && snapshot.can_read("gold.requests"));
        assert!(!snapshot.can_read("gold.sessions") && !snapshot.can_read("no name"));
        assert!(!snapshot.has("silver.events"), "it has no version yet");
    }
}
