//! What a step reads, in three parts: what is there (`found`, `sources`), what to do about it
//! ([`decide`](super::decide)), and what the names in the step's SQL stand for then (`step_bindings`). `find` goes
//! through them.

mod find;
mod found;
mod sources;
mod step_bindings;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::execution::SessionState;

use super::Decision;
use crate::config::TableName;
use crate::engine::Bindings;
use crate::lake::{Lake, LakeTable};
use crate::sources::{ReadOptions, Source, Unproven};

/// What a step reads, fixed at one moment, and how far it will have read afterward.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// The step's own table, as it was then.
    pub target: LakeTable,
    /// What the names in its SQL stand for.
    pub bindings: Bindings,
    /// What to do.
    pub decision: Decision,
    /// Application IDs and versions to commit with the rows.
    pub transactions: BTreeMap<String, i64>,
    /// Tables that its expectations read, as they are.
    pub expectations: BTreeMap<TableName, Arc<dyn TableProvider>>,
    /// Rows and records that wait, where that is known without reading them.
    pub waiting: Option<u64>,
    /// By source, trusted files that were not read to their end: they may be damaged.
    pub unproven: BTreeMap<String, Unproven>,
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
    /// Where the logic has changed, older rows stay as they are, as with `on_change: forward`.
    pub forward: bool,
    /// How sources are read.
    pub read: ReadOptions,
    /// Start from nothing, also where a step has a table to start from (`warm_start`).
    pub cold: bool,
}
