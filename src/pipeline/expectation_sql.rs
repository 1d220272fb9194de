//! The SQL of expectations (`expect`), before any step runs: which tables it reads, whether it plans, and whether it
//! returns the columns that quarantining needs. `step/expectations.rs` runs it on what a step has written, and decides
//! what follows.
//!
//! It runs once the rows are in files, and before the commit that makes these files part of the table: so each
//! expectation is one query, and rows still stream.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::Schema;
use clickrec_udfs::Variables;
use datafusion::datasource::empty::EmptyTable;
use datafusion::error::DataFusionError;

use super::node::Place;
use super::step_error::planning_message;
use super::{Node, PipelineError, references};
use crate::config::{Expectation, Mode, Severity, Step, TableName};
use crate::engine::{self, Bindings, Engine};
use crate::lake::NullKeys;

/// What an expectation found in the rows of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The expectation.
    pub name: String,
    /// What followed.
    pub severity: Severity,
    /// Rows that violate it.
    pub rows: u64,
}

impl Place {
    /// Where an expectation is written.
    fn of(expectation: &Expectation, config_file: &Path) -> Self {
        match &expectation.file {
            Some(file) => Self {
                file: file.clone(),
                at: None,
            },
            None => Self {
                file: config_file.to_owned(),
                at: Some((expectation.line, 1)),
            },
        }
    }

    fn plan_error(&self, expectation: &Expectation, error: &DataFusionError) -> PipelineError {
        let (at, message) = planning_message(error);
        match expectation.file {
            Some(_) => PipelineError::Sql {
                file: self.file.clone(),
                at,
                message,
            },
            None => self.error(format!("expectation `{}`: {message}", expectation.name)),
        }
    }
}

/// The tables that the expectations of a step read, besides its own.
pub(super) fn references(
    step: &Step,
    config_file: &Path,
    variables: &Variables,
) -> Result<BTreeMap<TableName, Place>, PipelineError> {
    let mut tables = BTreeMap::new();
    for expectation in &step.expect {
        let place = Place::of(expectation, config_file);
        let found = references::references(&expectation.sql, variables).map_err(|error| PipelineError::Sql {
            file: place.file.clone(),
            at: place.at.or(Some((error.line, error.column))),
            message: error.message,
        })?;
        if !found.changes.is_empty() || found.previous.is_some() || !found.latest.is_empty() {
            let help = "an expectation reads tables by their plain names: the name of the step's own table stands for \
                        the rows that are about to be written";
            return Err(place.error(format!(
                "an expectation cannot use changes(), previous() or latest()\n  help: {help}"
            )));
        }
        let others = found.tables.into_keys().filter(|name| *name != step.name);
        tables.extend(others.map(|name| (name, place.clone())));
    }
    Ok(tables)
}

/// Plans the expectations of a step over empty tables.
pub(super) async fn plan(
    node: &Node,
    engine: &Engine,
    schemas: &BTreeMap<TableName, Arc<Schema>>,
    config_file: &Path,
) -> Result<(), PipelineError> {
    let mut bindings = Bindings::default();
    for name in node.expectations.iter().chain([node.name()]) {
        let schema = schemas.get(name).cloned().unwrap_or_else(|| Arc::new(Schema::empty()));
        bindings.tables.insert(name.clone(), Arc::new(EmptyTable::new(schema)));
    }
    let session = engine.session(&bindings).await?;
    for expectation in &node.step.expect {
        let place = Place::of(expectation, config_file);
        let planned = engine::query(&session, &expectation.sql).await;
        let planned = planned.map_err(|error| place.plan_error(expectation, &error))?;
        if expectation.severity != Severity::Quarantine {
            continue;
        }
        let own = schemas.get(node.name());
        for column in own.map(|own| needed_columns(node, own)).unwrap_or_default() {
            if planned.schema().field_with_unqualified_name(&column).is_err() {
                let message =
                    format!("the result lacks the column `{column}`, which identifies the rows to quarantine");
                return Err(place.error(format!("{message}\n  help: select all columns of `{}`", node.name())));
            }
        }
    }
    Ok(())
}

/// What happens to rows with a NULL in the key: where rows may be quarantined, these are checked first.
pub(super) fn null_keys(node: &Node) -> NullKeys {
    let quarantines = |expectation: &Expectation| expectation.severity == Severity::Quarantine;
    match node.step.expect.iter().any(quarantines) {
        true => NullKeys::Write,
        false => NullKeys::Refuse,
    }
}

/// The columns that identify the rows that a query means: the key, or all.
fn needed_columns(node: &Node, schema: &Schema) -> Vec<String> {
    match node.step.mode {
        Mode::Merge => node.step.key.clone(),
        _ => schema.fields().iter().map(|field| field.name().clone()).collect(),
    }
}
