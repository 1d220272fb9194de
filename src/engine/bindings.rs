use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::catalog::TableProvider;

use crate::config::TableName;

/// What the names in a step's SQL stand for while it is planned and run.
#[derive(Debug, Clone, Default)]
pub struct Bindings {
    /// Plain table names: a snapshot each.
    pub tables: BTreeMap<TableName, Arc<dyn TableProvider>>,
    /// `changes('NAME')`: the rows of a source or table that wait.
    pub changes: BTreeMap<String, Arc<dyn TableProvider>>,
    /// `previous('…')`: the rows that the step wrote before; `None` where there are none yet.
    pub previous: Option<Arc<dyn TableProvider>>,
    /// `latest('NAME')`: a table as it is.
    pub latest: BTreeMap<String, Arc<dyn TableProvider>>,
    /// `table_version('NAME')`.
    pub versions: BTreeMap<String, u64>,
    /// Views, each after those it reads.
    pub views: Vec<View>,
}

/// A step of mode `view`.
#[derive(Debug, Clone)]
pub struct View {
    /// `layer.table`.
    pub name: TableName,
    /// Its statement.
    pub sql: String,
}
