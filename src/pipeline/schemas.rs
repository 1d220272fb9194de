//! The columns of every table, found before any step runs, by planning each step over empty tables; steps that do not
//! plan are broken.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::datasource::empty::EmptyTable;

use super::references::references;
use super::runs_schemas::{expectations_schema, runs_schema};
use super::step::{result, stored_schema};
use super::step_error::plan_error;
use super::{Dag, Node, PipelineError, chain, declared_scores, expectation_sql, quarantine_table, system};
use crate::config::{Project, TableName};
use crate::engine::{Bindings, Engine};
use crate::lake::{Lake, SYSTEM_LAYER};
use crate::sources::named_record_schema;

/// Tables that the SQL of steps and of the recommender reads and no step makes: they have to be in the lake already.
pub(super) async fn foreign_tables(
    project: &Project,
    lake: &Lake,
) -> Result<BTreeMap<TableName, SchemaRef>, PipelineError> {
    let steps = || project.pipelines.iter().flat_map(|pipeline| &pipeline.steps);
    let made: BTreeSet<&TableName> = steps().map(|step| &step.name).collect();
    let (mut foreign, variables) = (BTreeMap::new(), project.variables());
    let of_steps = steps().map(|step| (step.name.to_string(), step.sql.as_str()));
    let declared = project.recommender.files();
    let declared = declared.map(|file| (file.file.display().to_string(), file.sql.as_str()));
    for (reader, sql) in of_steps.chain(declared) {
        // What does not parse is reported by the DAG, with its place, or once it is used.
        let Ok(found) = references(sql, &variables) else {
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
                step: reader.clone(),
                source,
            };
            let table = lake.table(&name).await.map_err(failed)?;
            let schema = table.schema().map_err(failed)?.or_else(|| of_system(&name));
            foreign.extend(schema.map(|schema| (name, schema)));
        }
    }
    Ok(foreign)
}

/// The columns of the tables that runs write to: they can be read before there are any rows.
fn of_system(name: &TableName) -> Option<SchemaRef> {
    if name.layer != SYSTEM_LAYER {
        return None;
    }
    match name.table.as_str() {
        system::RUNS => Some(runs_schema()),
        system::EXPECTATIONS => Some(expectations_schema()),
        system::QUARANTINE => Some(quarantine_table::schema()),
        _ => None,
    }
}

/// What planning every step over empty tables found.
#[derive(Debug, Default)]
pub(super) struct Planned {
    /// The columns that each step's table will have, and those of tables that no step makes.
    pub schemas: BTreeMap<TableName, SchemaRef>,
    /// The steps that cannot run, and why.
    pub broken: BTreeMap<TableName, Arc<PipelineError>>,
}

/// Plans every step over empty tables, in order: what it returns is what the next ones read. A step that does not plan
/// is broken; those that read its table read it as the lake has it, and are broken too where it is not there.
pub(super) async fn schemas(
    dag: &mut Dag,
    engine: &Engine,
    lake: &Lake,
    foreign: BTreeMap<TableName, SchemaRef>,
    project: &Project,
) -> Planned {
    let broken = dag.take_broken().into_iter();
    let mut planned = Planned {
        schemas: foreign,
        broken: broken.map(|(name, error)| (name, Arc::new(error))).collect(),
    };
    for node in dag.nodes() {
        let error = match planned.broken.get(node.name()) {
            Some(error) => error.clone(),
            None => match planned.plan(node, engine, project).await {
                Ok(()) => continue,
                Err(error) => Arc::new(error),
            },
        };
        planned.broken.insert(node.name().clone(), error);
        // A lake that does not answer says so once a command reads it.
        let kept = lake.table(node.name()).await.and_then(|table| table.schema());
        if let Ok(Some(schema)) = kept {
            planned.schemas.insert(node.name().clone(), schema);
        }
    }
    planned
}

impl Planned {
    async fn plan(&mut self, node: &Node, engine: &Engine, project: &Project) -> Result<(), PipelineError> {
        self.reads_what_plans(node)?;
        let session = engine
            .session(&self.bindings(node))
            .await
            .map_err(|error| plan_error(node, &error))?;
        let planned = result(node, &session).await?;
        // Physical planning finds what logical planning does not: functions without an implementation for a type.
        let schema = stored_schema(node, planned.schema().as_arrow()).map_err(|error| node.lake_error(error))?;
        planned
            .create_physical_plan()
            .await
            .map_err(|error| plan_error(node, &error))?;
        declared_scores::check(node, &schema, project)?;
        self.schemas.insert(node.name().clone(), schema);
        expectation_sql::plan(node, engine, &self.schemas, &project.file).await
    }

    /// Whether the columns of all that a step reads are known.
    fn reads_what_plans(&self, node: &Node) -> Result<(), PipelineError> {
        let views = node.views.iter().map(|view| &view.name);
        let tables = node.inputs().filter(|name| !self.schemas.contains_key(*name));
        match views
            .chain(tables)
            .find_map(|name| Some((name, self.broken.get(name)?)))
        {
            None => Ok(()),
            Some((name, error)) => Err(PipelineError::ReadsBroken {
                step: node.name().to_string(),
                because_of: name.to_string(),
                reason: chain(error.as_ref(), ": "),
            }),
        }
    }

    /// Empty tables for all that a step reads.
    fn bindings(&self, node: &Node) -> Bindings {
        let mut bindings = Bindings {
            views: node.views.clone(),
            ..Bindings::default()
        };
        for name in node.inputs() {
            let Some(schema) = self.schemas.get(name) else { continue };
            let table = Arc::new(EmptyTable::new(schema.clone()));
            bindings.changes.insert(name.to_string(), table.clone());
            bindings.tables.insert(name.clone(), table);
        }
        for name in &node.latest {
            let schema = self
                .schemas
                .get(name)
                .cloned()
                .unwrap_or_else(|| Arc::new(Schema::empty()));
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
                .insert(name.clone(), Arc::new(EmptyTable::new(named_record_schema())));
        }
        bindings
    }
}
