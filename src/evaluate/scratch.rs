//! A lake in a temporary folder in which the project's own steps learn from the training sessions alone, with the
//! values of `--grid`.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::dataframe::DataFrame;
use tempfile::TempDir;
use url::Url;

use super::{EvaluationError, Model};
use crate::config::{BackendConfig, LakeConfig, Mode, OnChange, Project, Secret, Storage, TableName};
use crate::engine::{Engine, query};
use crate::lake::write::Layout;
use crate::lake::{Lake, append, schema};
use crate::pipeline::references::{References, references};
use crate::pipeline::{RunOptions, Runner, Selection};
use crate::recommender::step;

/// A lake in a temporary folder whose table of events contains only training events. The project's own steps learn from
/// it, as they do in production.
#[derive(Debug)]
pub struct Scratch {
    _folder: TempDir,
    project: Project,
    engine: Engine,
}

impl Scratch {
    /// Writes the training events, and the tables that the project's SQL reads but no step writes.
    ///
    /// # Errors
    /// When the events cannot be read or written.
    pub async fn new(project: &Project, runner: &Runner, train: DataFrame) -> Result<Self, EvaluationError> {
        let folder = TempDir::new().map_err(EvaluationError::Scratch)?;
        let url = Url::from_directory_path(folder.path())
            .map_err(|()| EvaluationError::Scratch(std::io::Error::other("the temporary folder has no URL")))?;
        let lake = LakeConfig {
            url,
            storage: Storage::default(),
        };
        let scratch = Self {
            _folder: folder,
            project: Project {
                lake,
                engine: BackendConfig::Local,
                ..project.clone()
            },
            engine: runner.engine().clone(),
        };
        let events = &runner.recommender().events;
        scratch.write(events, train).await?;
        let session = runner.session().await?;
        for name in runner.foreign().iter().filter(|name| *name != events) {
            let rows = query(&session, &format!("select * from {name}")).await?;
            scratch.write(name, rows).await?;
        }
        Ok(scratch)
    }

    async fn write(&self, name: &TableName, rows: DataFrame) -> Result<(), EvaluationError> {
        let layout = Layout {
            schema: schema::storable(name, rows.schema().as_arrow())?,
            partition_by: vec![],
        };
        let table = Lake::new(&self.project.lake).table(name).await?;
        let task = std::sync::Arc::new(rows.task_ctx());
        append(&table, &rows.create_physical_plan().await?, &task, layout).await?;
        Ok(())
    }

    /// The project, with this lake.
    pub fn project(&self) -> &Project {
        &self.project
    }

    /// The engine for its queries.
    pub fn engine(&self) -> Engine {
        self.engine.clone()
    }

    /// Runs the steps that the models depend on, with the given values of `var('…', …)`. Steps whose SQL and inputs have
    /// not changed since the last time are skipped.
    ///
    /// # Errors
    /// When a step fails.
    pub async fn learn(
        &self,
        variables: &BTreeMap<String, String>,
        models: &[Model],
    ) -> Result<Runner, EvaluationError> {
        let mut project = self.project.clone();
        let secret = |(name, value): (&String, &String)| (name.clone(), Secret::new(value));
        project.vars.extend(variables.iter().map(secret));
        // Rows of an earlier trial would stay.
        let pipelines = project.pipelines.iter_mut();
        pipelines
            .flat_map(|pipeline| &mut pipeline.steps)
            .for_each(|step| step.on_change = OnChange::Rebuild);
        let runner = Runner::new(&project, self.engine.clone()).await?;
        let select = steps(&runner, models)?;
        // An empty selection would select every step.
        if let (Some(pipeline), false) = (project.pipelines.first(), select.is_empty()) {
            let options = RunOptions {
                selection: Selection {
                    select,
                    ..Selection::default()
                },
                // Earlier trials must not influence the result.
                cold: true,
                ..RunOptions::default()
            };
            runner
                .run_once(pipeline, &options, &mut |_| {})
                .await?
                .into_outcomes()?;
        }
        Ok(runner)
    }
}

/// The tables and views that a statement reads.
fn tables(found: References) -> impl Iterator<Item = TableName> {
    let changed = found.changes.into_keys().filter_map(|input| input.parse().ok());
    found.tables.into_keys().chain(found.latest.into_keys()).chain(changed)
}

/// The steps that requests and models depend on, downstream of the events.
fn steps(runner: &Runner, models: &[Model]) -> Result<Vec<String>, EvaluationError> {
    let names = runner.recommender();
    let variables = runner.engine().variables();
    let mut needed = BTreeSet::from([step(runner, &names.requests)?.name().clone()]);
    for model in models {
        match &model.file {
            // A file that does not parse is reported with its name once it is planned.
            Some(file) => needed.extend(tables(references(&file.sql, &variables).unwrap_or_default())),
            None => {
                let own = step(runner, &names.recommendations)?;
                needed.extend(own.inputs().chain(&own.latest).cloned());
            }
        }
    }
    let mut steps = vec![];
    let nodes = runner.dag().nodes().iter().rev();
    for node in nodes.filter(|node| *node.name() != names.events) {
        if needed.contains(node.name()) {
            needed.extend(node.inputs().chain(&node.latest).cloned());
            if node.step.mode != Mode::View {
                steps.push(node.name().to_string());
            }
        }
    }
    Ok(steps)
}
