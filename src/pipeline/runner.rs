//! Runs the steps of a pipeline one after another, each by `run_step` (look, decide, run; and again if another
//! writer was faster). Steps that read a failed one are skipped. `run` calls [`Runner::run_once`] once, and
//! [`follow`](super::follow) runs the steps again and again; other commands use it to see what a step would do, how
//! much waits for it (`lag`), and for sessions over the lake.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::execution::SessionState;

use super::inputs::{Lookup, World};
use super::run_options::lookup;
use super::schemas::{Planned, foreign_tables, schemas};
use super::step::Tools;
use super::{
    Dag, Decision, Failed, Inputs, Node, Outcome, PipelineError, RunOptions, RunReport, Skipped, StepProgress,
    deleted_tables, on_change,
};
use crate::backend::{self, Backend, LocalBackend};
use crate::config::{MaintenanceConfig, Mode, Pipeline, Project, RecommenderConfig, TableName, TimeZone};
use crate::engine::{Bindings, Engine};
use crate::lake::Lake;
use crate::lake::positions::SourcePositions;
use crate::sources::{ReadOptions, Source, SourceConfig};

/// What happens during a run, in order.
#[derive(Debug)]
pub enum RunEvent<'a> {
    /// A step starts.
    Started {
        /// The step.
        step: &'a Node,
        /// What it will do.
        decision: &'a Decision,
        /// Rows that wait, where known.
        waiting: Option<u64>,
        /// How far it is, from now on.
        progress: Arc<StepProgress>,
    },
    /// A step ended well, or had nothing to do.
    Finished(&'a Outcome),
    /// A step failed.
    Failed(&'a Failed),
    /// A step was left out, as it reads one that failed.
    Skipped(&'a Skipped),
}

/// Runs the steps of a project.
#[derive(Debug)]
pub struct Runner {
    /// What runs the plans of steps.
    backend: Arc<dyn Backend>,
    /// What runs everything else.
    here: LocalBackend,
    lake: Lake,
    pub(super) sources: BTreeMap<String, Arc<dyn Source>>,
    pub(super) topics: BTreeMap<TableName, Arc<dyn TableProvider>>,
    dag: Dag,
    foreign: BTreeSet<TableName>,
    planned: Planned,
    pub(super) session: SessionState,
    /// A session of the backend.
    planning: SessionState,
    maintenance: MaintenanceConfig,
    recommender: RecommenderConfig,
    timezone: TimeZone,
}

impl Runner {
    /// Plans the whole project: configuration, SQL, functions, types. Connects to no source and reads no row.
    /// [`Runner::check`] reports a step that cannot run; whatever does not need that step continues.
    ///
    /// # Errors
    /// When a source cannot be set up, steps read each other in a circle, or the lake cannot be read.
    pub async fn new(project: &Project, engine: Engine) -> Result<Self, PipelineError> {
        let engine = engine
            .with_variables(project.variables())
            .with_schemas(project.schemas());
        let lake = Lake::new(&project.lake);
        let foreign = foreign_tables(project, &lake).await?;
        let mut dag = Dag::new(project, &|name| foreign.contains_key(name))?;
        let names = foreign.keys().cloned().collect();
        let planned = schemas(&mut dag, &engine, &lake, foreign, project).await;
        let sources = project
            .sources
            .iter()
            .map(|(name, config)| Ok((name.clone(), source(name, &**config)?)));
        let sources = sources.collect::<Result<_, PipelineError>>()?;
        let backend = backend::open(project, &engine, &lake);
        let planning = backend.engine().session(&Bindings::default()).await?.state();
        let session = engine.session(&Bindings::default()).await?.state();
        Ok(Self {
            backend,
            here: LocalBackend::new(engine),
            lake,
            sources,
            topics: topics(project),
            dag,
            foreign: names,
            planned,
            session,
            planning,
            maintenance: project.maintenance.clone(),
            recommender: project.recommender.clone(),
            timezone: project.timezone,
        })
    }

    /// For a process that runs the steps many times: see [`Lake::with_memory`].
    #[must_use]
    pub fn with_memory(mut self, key_filter_bytes: u64) -> Self {
        self.lake = self.lake.with_memory(key_filter_bytes);
        self
    }

    /// The steps in order.
    pub fn dag(&self) -> &Dag {
        &self.dag
    }

    /// Tables that the SQL reads and no step makes.
    pub fn foreign(&self) -> &BTreeSet<TableName> {
        &self.foreign
    }

    /// What makes its sessions.
    pub fn engine(&self) -> &Engine {
        self.here.engine()
    }

    /// What runs the plans of steps.
    pub fn backend(&self) -> &dyn Backend {
        self.backend.as_ref()
    }

    /// The lake that it reads and writes.
    pub fn lake(&self) -> &Lake {
        &self.lake
    }

    /// How tables are kept in shape.
    pub fn maintenance(&self) -> &MaintenanceConfig {
        &self.maintenance
    }

    /// The columns that each step's table will have.
    pub fn schemas(&self) -> &BTreeMap<TableName, SchemaRef> {
        &self.planned.schemas
    }

    /// What the recommender consists of.
    pub fn recommender(&self) -> &RecommenderConfig {
        &self.recommender
    }

    /// The calendar of days and hours.
    pub fn timezone(&self) -> TimeZone {
        self.timezone
    }

    /// Why a step cannot run as its SQL stands; `None` where it can.
    pub fn broken(&self, name: &TableName) -> Option<&PipelineError> {
        self.planned.broken.get(name).map(AsRef::as_ref)
    }

    /// Makes sure that these steps can run.
    ///
    /// # Errors
    /// What is wrong with the first one that cannot, with its file and line.
    pub fn check<'a>(&self, names: impl IntoIterator<Item = &'a TableName>) -> Result<(), PipelineError> {
        let names: BTreeSet<&TableName> = names.into_iter().collect();
        let mut in_order = self.dag().nodes().iter().map(Node::name);
        let broken = in_order.find_map(|name| self.planned.broken.get(names.get(name).copied()?));
        broken.map_or(Ok(()), |error| Err(PipelineError::Broken(error.clone())))
    }

    /// A step by its name.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn step(&self, name: &TableName) -> Result<&Node, PipelineError> {
        self.dag.get(name).ok_or_else(|| {
            let known: Vec<String> = self.dag.nodes().iter().map(|node| node.name().to_string()).collect();
            PipelineError::UnknownStep {
                name: name.to_string(),
                known: known.join(", "),
            }
        })
    }

    /// Makes sure that these steps exist, can keep older rows where their logic has changed, and are among those that run.
    pub(super) fn check_forward(
        &self,
        names: &BTreeSet<TableName>,
        selected: &BTreeSet<TableName>,
    ) -> Result<(), PipelineError> {
        names.iter().try_for_each(|name| {
            on_change::check_forward(self.step(name)?)?;
            match selected.contains(name) {
                true => Ok(()),
                false => Err(PipelineError::NotSelected { step: name.to_string() }),
            }
        })
    }

    /// Makes sure that every step of the project can run.
    ///
    /// # Errors
    /// As [`Runner::check`].
    pub fn check_all(&self) -> Result<(), PipelineError> {
        self.check(self.planned.broken.keys())
    }

    /// What a step would do now.
    ///
    /// # Errors
    /// As [`Inputs::find`], and if a table that is filled from a source was deleted or recreated.
    pub async fn inspect(&self, node: &Node, lookup: Lookup) -> Result<Inputs, PipelineError> {
        self.check([node.name()])?;
        let inputs = Inputs::find(node, self.world(), lookup).await?;
        deleted_tables::check(&self.dag, &self.lake, node, &inputs, lookup).await?;
        Ok(inputs)
    }

    /// How many records of each source wait for a step, by place.
    ///
    /// # Errors
    /// When the lake or a source does not answer, or records are gone that were not read yet.
    pub async fn lag(&self, node: &Node) -> Result<BTreeMap<String, BTreeMap<String, u64>>, PipelineError> {
        let target = self
            .lake
            .table(node.name())
            .await
            .map_err(|error| node.lake_error(error))?;
        let mut lag = BTreeMap::new();
        for (name, source) in node
            .sources
            .iter()
            .filter_map(|name| Some((name, self.sources.get(name)?)))
        {
            let committed = SourcePositions {
                table: &target,
                source: name,
            };
            let pending = source.pending(&committed, ReadOptions::default()).await;
            lag.insert(
                name.clone(),
                pending.map_err(|error| node.source_error(name, error))?.lag,
            );
        }
        Ok(lag)
    }

    /// Runs the selected steps of a pipeline once. A step that fails commits nothing, and those that read it are
    /// skipped; the others run.
    ///
    /// # Errors
    /// When the selection names no step, a selected step cannot run as its SQL stands, a step of `forward` keeps no older
    /// rows or is not selected, or the lake cannot be written at all.
    pub async fn run_once(
        &self,
        pipeline: &Pipeline,
        options: &RunOptions,
        on_event: &mut dyn FnMut(RunEvent<'_>),
    ) -> Result<RunReport, PipelineError> {
        let selected = options.selection.steps(&self.dag, &pipeline.name)?;
        self.check(&selected)?;
        self.check_forward(&options.forward, &selected)?;
        self.lake.check_writable().map_err(PipelineError::Unwritable)?;
        let (mut report, mut stale) = (RunReport::default(), BTreeSet::new());
        let steps = self.dag.nodes().iter();
        for node in steps.filter(|node| selected.contains(node.name()) && node.step.mode != Mode::View) {
            if let Some(input) = stale.iter().find(|input| node.reads(input)) {
                let skipped = Skipped {
                    step: node.name().clone(),
                    because_of: TableName::clone(input),
                };
                stale.insert(node.name().clone());
                on_event(RunEvent::Skipped(&skipped));
                report.skipped.push(skipped);
                continue;
            }
            let started = Instant::now();
            match self.run_step(node, lookup(node, options), on_event).await {
                Ok(outcome) => {
                    on_event(RunEvent::Finished(&outcome));
                    report.outcomes.push(outcome);
                }
                Err(error) => {
                    let failed = Failed {
                        step: node.name().clone(),
                        error,
                        took: started.elapsed(),
                    };
                    stale.insert(node.name().clone());
                    on_event(RunEvent::Failed(&failed));
                    report.failed.push(failed);
                }
            }
        }
        Ok(report)
    }

    pub(super) fn tools(&self) -> Tools<'_> {
        Tools {
            backend: self.backend.as_ref(),
            here: &self.here,
            lake: &self.lake,
        }
    }

    /// For what runs in this process, wherever steps run.
    pub(super) fn tools_here(&self) -> Tools<'_> {
        self.tools().local()
    }

    fn world(&self) -> World<'_> {
        World {
            lake: &self.lake,
            sources: &self.sources,
            schemas: &self.planned.schemas,
            session: &self.planning,
        }
    }
}

fn source(name: &str, config: &dyn SourceConfig) -> Result<Arc<dyn Source>, PipelineError> {
    config.open().map_err(|source| PipelineError::BadSource {
        name: name.to_owned(),
        source: Box::new(source),
    })
}

/// The sources that are tables too, which are read as of each query.
fn topics(project: &Project) -> BTreeMap<TableName, Arc<dyn TableProvider>> {
    let topic = |(source, config): (&String, &Arc<dyn SourceConfig>)| {
        let (layer, provider) = config.table()?;
        let name = TableName {
            layer: layer.name.to_owned(),
            table: source.clone(),
        };
        Some((name, provider))
    };
    project.sources.iter().filter_map(topic).collect()
}
