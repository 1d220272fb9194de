//! The columns of every table, found before any runs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::datasource::empty::EmptyTable;

use super::references::references;
use super::step::{self, result, stored_schema};
use super::{Dag, PipelineError, expectations};
use crate::config::{Project, TableName};
use crate::engine::{Bindings, Engine};
use crate::lake::Lake;
use crate::source::record_schema;

/// Tables that the SQL reads and no step makes: they have to be in the lake already.
pub(super) async fn foreign_tables(
    project: &Project,
    lake: &Lake,
) -> Result<BTreeMap<TableName, SchemaRef>, PipelineError> {
    let steps = || project.pipelines.iter().flat_map(|pipeline| &pipeline.steps);
    let made: BTreeSet<&TableName> = steps().map(|step| &step.name).collect();
    let (mut foreign, variables) = (BTreeMap::new(), project.variables());
    for step in steps() {
        // What does not parse is reported by the DAG, with its place.
        let Ok(found) = references(&step.sql, &variables) else {
            continue;
        };
        let changed = found.changes.keys().filter_map(|input| input.parse().ok());
        for name in found
            .tables
            .keys()
            .chain(found.versions.keys())
            .chain(found.latest.keys())
            .chain(found.warm_starts.keys())
            .cloned()
            .chain(changed)
            .filter(|name| !made.contains(name))
        {
            let failed = |source| PipelineError::Lake {
                step: step.name.to_string(),
                source,
            };
            if let Some(schema) = lake
                .table(&name)
                .await
                .and_then(|table| table.schema())
                .map_err(failed)?
            {
                foreign.insert(name, schema);
            }
        }
    }
    Ok(foreign)
}

/// Plans every step over empty tables, in order: what it returns is what the next ones read.
pub(super) async fn schemas(
    dag: &Dag,
    engine: &Engine,
    foreign: BTreeMap<TableName, SchemaRef>,
    config_file: &Path,
) -> Result<BTreeMap<TableName, SchemaRef>, PipelineError> {
    let mut schemas = foreign;
    for node in dag.nodes() {
        let mut bindings = Bindings {
            views: node.views.clone(),
            ..Bindings::default()
        };
        for name in node.inputs() {
            let Some(schema) = schemas.get(name) else { continue };
            let table = Arc::new(EmptyTable::new(schema.clone()));
            bindings.changes.insert(name.to_string(), table.clone());
            bindings.tables.insert(name.clone(), table);
        }
        for name in &node.latest {
            let schema = schemas.get(name).cloned().unwrap_or_else(|| Arc::new(Schema::empty()));
            bindings
                .latest
                .insert(name.to_string(), Arc::new(EmptyTable::new(schema)));
        }
        for name in &node.warm_starts {
            let nothing = Arc::new(EmptyTable::new(Arc::new(Schema::empty())));
            bindings.tables.entry(name.clone()).or_insert(nothing);
        }
        for name in &node.sources {
            bindings
                .changes
                .insert(name.clone(), Arc::new(EmptyTable::new(record_schema())));
        }
        let session = engine
            .session(&bindings)
            .await
            .map_err(|error| step::plan_error(node, &error))?;
        let planned = result(node, &session).await?;
        // Physical planning finds what logical planning does not: functions without an implementation for a type.
        let schema = stored_schema(node, planned.schema().as_arrow()).map_err(|error| node.lake_error(error))?;
        planned
            .create_physical_plan()
            .await
            .map_err(|error| step::plan_error(node, &error))?;
        schemas.insert(node.name().clone(), schema);
        expectations::plan(node, engine, &schemas, config_file).await?;
    }
    Ok(schemas)
}
