//! What the names in a statement stand for, as the engine is told: [`Bindings`]. `pipeline/inputs/step_bindings.rs`
//! fills it for a step, `pipeline/lake_bindings.rs` for everything else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::catalog::TableProvider;

use crate::config::TableName;

/// What the names in a step's SQL refer to while it is planned and run.
#[derive(Debug, Clone, Default)]
pub struct Bindings {
    /// Plain table names: one snapshot per table.
    pub tables: BTreeMap<TableName, Arc<dyn TableProvider>>,
    /// `changes('NAME')`: the waiting rows of a source or table.
    pub changes: BTreeMap<String, Arc<dyn TableProvider>>,
    /// `previous('…')`: the rows the step wrote before; `None` if there are none yet.
    pub previous: Option<Arc<dyn TableProvider>>,
    /// Columns that these rows do not have yet, and that `previous('…')` may name all the same: they are NULL.
    pub added: BTreeSet<String>,
    /// `latest('NAME')`: the current rows of a table.
    pub latest: BTreeMap<String, Arc<dyn TableProvider>>,
    /// `table_version('NAME')`.
    pub versions: BTreeMap<String, u64>,
    /// Views, in dependency order.
    pub views: Vec<View>,
    /// Whether the statement may name files. A view never may: it is a step.
    pub files: FileAccess,
}

/// Whether a statement may name files: `from 'events.csv'`, `read_csv('…')`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileAccess {
    /// It may.
    Read,
    /// It may not, for this reason.
    Refused(&'static str),
}

impl Default for FileAccess {
    /// A step that read files by name would read all of them each time, and the pipeline would not know.
    fn default() -> Self {
        Self::Refused(
            "only the shell (`clickrec sql`) reads files by name\n  help: a step reads files as a source: declare it \
             in pipelines.yaml, and read changes('SOURCE')",
        )
    }
}

/// A step of mode `view`.
#[derive(Debug, Clone)]
pub struct View {
    /// `layer.table`.
    pub name: TableName,
    /// Its statement.
    pub sql: String,
}
