//! A step in the order of a project: its configuration, what it reads (also through views: `go_through`), and the
//! errors that name it or a place in its SQL.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use datafusion::sql::sqlparser::tokenizer::Location;

use super::PipelineError;
use crate::config::{Mode, Step, TableName};
use crate::engine::View;
use crate::lake::LakeError;
use crate::sources::SourceError;

/// A step and what it reads, with the views it goes through resolved.
#[derive(Debug, Clone)]
pub struct Node {
    /// The step as configured.
    pub step: Step,
    /// The pipeline it belongs to.
    pub pipeline: String,
    /// Tables of the lake it reads plainly (views are not among them).
    pub tables: BTreeSet<TableName>,
    /// Tables of the lake of which it reads the changes.
    pub changed_tables: BTreeSet<TableName>,
    /// Sources of which it reads the changes.
    pub sources: BTreeSet<String>,
    /// The views it goes through, each after those it reads.
    pub views: Vec<View>,
    /// Tables that it starts from where they exist (`warm_start => '…'`).
    pub warm_starts: BTreeSet<TableName>,
    /// Tables that it reads as they are (`latest('…')`): their changes do not make it run.
    pub latest: BTreeSet<TableName>,
    /// Tables whose version it asks for (`table_version('…')`).
    pub versions: BTreeSet<TableName>,
    /// Tables that its expectations read, besides its own.
    pub expectations: BTreeSet<TableName>,
    /// Tables of which it reads the changes, each with those among its other inputs that are made of the same changes: it
    /// reads no further than they have.
    pub judged_by: BTreeMap<TableName, BTreeSet<TableName>>,
    /// Whether it reads its own earlier rows (`previous('…')`).
    pub reads_itself: bool,
    /// The names of `var('…', …)` in its SQL and that of its views.
    pub variables: BTreeSet<String>,
    /// Tells one version of its logic from another: SQL of the step and its views, mode, key, `delete`, partitioning.
    pub fingerprint: i64,
    /// Tells one layout of its table from another: mode, key, partitioning.
    pub layout: i64,
}

impl Node {
    /// `layer.table`.
    pub fn name(&self) -> &TableName {
        &self.step.name
    }

    /// Whether it reads one of these steps, tables or views.
    pub fn reads_any(&self, names: &BTreeSet<TableName>) -> bool {
        names.iter().any(|name| self.reads(name))
    }

    /// Whether it reads this step, table or view.
    pub fn reads(&self, name: &TableName) -> bool {
        let mut inputs = self.inputs().chain(&self.latest).chain(&self.expectations);
        self.views.iter().any(|view| view.name == *name) || inputs.any(|input| input == name)
    }

    /// Whether it adds what is new in sources to its table. A table that snapshots replace is recomputed instead, like
    /// one that is made of whole tables.
    pub fn adds_records(&self) -> bool {
        !self.sources.is_empty() && self.step.mode != Mode::Overwrite
    }

    /// Every lake table that it reads, plainly or in part.
    pub fn inputs(&self) -> impl Iterator<Item = &TableName> {
        self.tables.union(&self.changed_tables)
    }

    /// The lake refused something that the step needs.
    pub(super) fn lake_error(&self, source: LakeError) -> PipelineError {
        PipelineError::Lake {
            step: self.name().to_string(),
            source,
        }
    }

    /// A source does not answer, or has lost records.
    pub(super) fn source_error(&self, name: &str, source: SourceError) -> PipelineError {
        PipelineError::Source {
            step: self.name().to_string(),
            name: name.to_owned(),
            source: Box::new(source),
        }
    }

    /// An error at a place in the step's SQL file.
    pub(super) fn error(&self, at: Location, message: String) -> PipelineError {
        Place::in_step(&self.step, at).error(message)
    }

    /// Passes on what a view reads: whoever reads the view reads that too, and goes through the views below it.
    pub(super) fn go_through(&mut self, view: &Node) {
        let itself = View {
            name: view.name().clone(),
            sql: view.step.sql.clone(),
        };
        for inner in view.views.iter().chain([&itself]) {
            if !self.views.iter().any(|known| known.name == inner.name) {
                self.views.push(inner.clone());
            }
        }
        self.tables.extend(view.tables.iter().cloned());
        self.changed_tables.extend(view.changed_tables.iter().cloned());
        self.sources.extend(view.sources.iter().cloned());
        self.warm_starts.extend(view.warm_starts.iter().cloned());
        self.latest.extend(view.latest.iter().cloned());
        self.versions.extend(view.versions.iter().cloned());
        self.variables.extend(view.variables.iter().cloned());
    }
}

/// A place in a file of the project.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub file: PathBuf,
    /// Line and column, from 1, where they are known.
    pub at: Option<(u64, u64)>,
}

impl Place {
    /// A place in the SQL file of a step.
    pub fn in_step(step: &Step, at: Location) -> Self {
        Self {
            file: step.file.clone(),
            at: Some((at.line.max(1), at.column.max(1))),
        }
    }

    pub fn error(&self, message: String) -> PipelineError {
        PipelineError::Sql {
            file: self.file.clone(),
            at: self.at,
            message,
        }
    }
}
