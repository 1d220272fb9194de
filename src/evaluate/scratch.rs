use std::collections::{BTreeMap, BTreeSet};

use datafusion::dataframe::DataFrame;
use tempfile::TempDir;
use url::Url;

use super::EvaluationError;
use crate::config::{EngineConfig, LakeConfig, Mode, Pipeline, Project, Secret, Storage, TableName};
use crate::engine::{Engine, query};
use crate::lake::write::Layout;
use crate::lake::{Lake, append, schema};
use crate::pipeline::{RunOptions, Runner, Selection};
use crate::recommender::{EVENTS, RECOMMENDATIONS, RecommenderError};

/// What models read in addition to what the recommendations read.
const MODEL_TABLES: [&str; 2] = ["gold.als_factors", "gold.item_popularity"];

/// A lake in a temporary folder whose `silver.events` contains only training events. The project's own steps learn from
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
                engine: EngineConfig::Local,
                ..project.clone()
            },
            engine: runner.engine().clone(),
        };
        let events = named(runner, EVENTS)?;
        scratch.write(&events, train).await?;
        let session = runner.session().await?;
        for name in runner.foreign() {
            let rows = query(&session, &format!("select * from {name}")).await?;
            scratch.write(name, rows).await?;
        }
        Ok(scratch)
    }

    async fn write(&self, name: &TableName, rows: DataFrame) -> Result<(), EvaluationError> {
        let columns = rows.schema().fields().iter();
        // Files from elsewhere may lack some of the event columns.
        let columns = columns.map(|field| field.as_ref().clone().with_nullable(true));
        let columns = arrow::datatypes::Schema::new(columns.collect::<Vec<_>>());
        let layout = Layout {
            schema: schema::storable(name, &columns)?,
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

    /// Runs the steps that recommendations depend on, with the given values of `var('…', …)`. Steps whose SQL and
    /// inputs have not changed since the last time are skipped.
    ///
    /// # Errors
    /// When a step fails.
    pub async fn learn(&self, variables: &BTreeMap<String, String>) -> Result<Runner, EvaluationError> {
        let mut project = self.project.clone();
        let secret = |(name, value): (&String, &String)| (name.clone(), Secret::new(value));
        project.vars.extend(variables.iter().map(secret));
        let runner = Runner::new(&project, self.engine.clone()).await?;
        let options = RunOptions {
            selection: Selection {
                select: steps(&runner)?,
                ..Selection::default()
            },
            // Earlier trials must not influence the result.
            cold: true,
            ..RunOptions::default()
        };
        let pipeline = pipeline(&project)?;
        runner
            .run_once(pipeline, &options, &mut |_| {})
            .await?
            .into_outcomes()?;
        Ok(runner)
    }
}

fn named(runner: &Runner, name: &str) -> Result<TableName, EvaluationError> {
    let found = runner.dag().named(name).map(|node| node.name().clone());
    Ok(found.ok_or_else(|| RecommenderError::NoStep { name: name.to_owned() })?)
}

fn pipeline(project: &Project) -> Result<&Pipeline, EvaluationError> {
    let has = |pipeline: &&Pipeline| {
        pipeline
            .steps
            .iter()
            .any(|step| step.name.to_string() == RECOMMENDATIONS)
    };
    let found = project.pipelines.iter().find(has);
    Ok(found.ok_or_else(|| RecommenderError::NoStep {
        name: RECOMMENDATIONS.to_owned(),
    })?)
}

/// The steps that the models and recommendations depend on, downstream of the events.
fn steps(runner: &Runner) -> Result<Vec<String>, EvaluationError> {
    let events = named(runner, EVENTS)?;
    let recommendations = named(runner, RECOMMENDATIONS)?;
    let mut needed = BTreeSet::from([recommendations.clone()]);
    for table in MODEL_TABLES {
        needed.insert(named(runner, table)?);
    }
    let mut steps = vec![];
    for node in runner.dag().nodes().iter().rev().filter(|node| *node.name() != events) {
        if needed.contains(node.name()) {
            needed.extend(node.inputs().chain(&node.latest).cloned());
            if node.step.mode != Mode::View && *node.name() != recommendations {
                steps.push(node.name().to_string());
            }
        }
    }
    Ok(steps)
}
