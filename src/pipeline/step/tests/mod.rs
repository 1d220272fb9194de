//! The phases of a step one by one, over a lake in a temporary folder.

#![allow(clippy::unwrap_used)]

mod calls;
mod phases;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::util::pretty::pretty_format_batches;
use datafusion::dataframe::DataFrame;
use datafusion::prelude::SessionContext;
use tempfile::TempDir;
use url::Url;

use super::{Attempt, Done, Tools, result};
use crate::backend::{Backend, LocalBackend};
use crate::config::{Expectation, LakeConfig, Mode, Severity, Step, Storage};
use crate::engine::{self, Bindings, Engine, EngineOptions};
use crate::lake::{Lake, LakeTable, positions};
use crate::pipeline::test_project::{dag, project, step, table};
use crate::pipeline::{Decision, Inputs, Node, PipelineError, StepProgress};

/// The table that all steps here write.
const TABLE: &str = "gold.items";

/// A lake, and what runs plans in this process.
struct World {
    folder: TempDir,
    lake: Lake,
    here: LocalBackend,
}

impl World {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let options = EngineOptions {
            memory_bytes: 64 << 20,
            spill_dir: None,
            threads: Some(2),
        };
        let config = LakeConfig {
            url: Url::from_directory_path(folder.path()).unwrap(),
            storage: Storage::default(),
        };
        Self {
            lake: Lake::new(&config),
            here: LocalBackend::new(Engine::new(&options).unwrap()),
            folder,
        }
    }

    async fn table(&self) -> LakeTable {
        self.lake.table(&table(TABLE)).await.unwrap()
    }

    /// The data files in the folder of the table, whether the log names them or not.
    fn files(&self) -> BTreeSet<String> {
        let Ok(folder) = std::fs::read_dir(self.folder.path().join("gold/items")) else {
            return BTreeSet::new();
        };
        let names = folder.map(|file| file.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".parquet")).collect()
    }

    /// The files that the log names.
    async fn committed(&self) -> BTreeSet<String> {
        let table = self.table().await;
        let files = table
            .state()
            .map(|state| state.log_data().iter().map(|file| file.path().to_string()).collect());
        files.unwrap_or_default()
    }

    /// What a query finds in the lake.
    async fn rows(&self, sql: &str) -> String {
        let mut bindings = Bindings::default();
        let state = self.here.engine().session(&bindings).await.unwrap().state();
        for name in [TABLE, "system.quarantine"] {
            let opened = self.lake.table(&table(name)).await.unwrap();
            if opened.version().is_some() {
                bindings
                    .tables
                    .insert(table(name), opened.provider(&state).await.unwrap());
            }
        }
        let session = self.here.engine().session(&bindings).await.unwrap();
        let batches = engine::query(&session, sql).await.unwrap().collect().await.unwrap();
        pretty_format_batches(&batches).unwrap().to_string()
    }

    /// A step over the table as it is now.
    async fn run(&self, step: Step, decision: Decision) -> Result<Done, PipelineError> {
        Prepared::new(self, &self.here, step, decision).await.run().await
    }
}

fn writing(mode: Mode, sql: &str) -> Step {
    let mut step = step(TABLE, mode, sql);
    if mode == Mode::Merge {
        step.key = vec!["id".to_owned()];
    }
    step
}

fn expecting(mut step: Step, severity: Severity, sql: &str) -> Step {
    step.expect.push(Expectation {
        name: "no bad names".to_owned(),
        severity,
        sql: sql.to_owned(),
        file: None,
        line: 1,
    });
    step
}

fn full() -> Decision {
    Decision::Full("a test".to_owned())
}

/// All that an attempt needs.
struct Prepared<'a> {
    world: &'a World,
    backend: &'a dyn Backend,
    node: Node,
    inputs: Inputs,
    session: SessionContext,
    progress: Arc<StepProgress>,
}

impl<'a> Prepared<'a> {
    async fn new(world: &'a World, backend: &'a dyn Backend, step: Step, decision: Decision) -> Self {
        let project = project(vec![step]);
        let node = dag(&project).get(&table(TABLE)).unwrap().clone();
        let inputs = Inputs {
            target: world.table().await,
            bindings: Bindings::default(),
            decision,
            // Every commit of a step has the first.
            transactions: BTreeMap::from([(positions::SQL.to_owned(), 1), ("input".to_owned(), 7)]),
            expectations: BTreeMap::new(),
            waiting: None,
            unproven: BTreeMap::new(),
        };
        Self {
            session: backend.engine().session(&inputs.bindings).await.unwrap(),
            world,
            backend,
            node,
            inputs,
            progress: Arc::default(),
        }
    }

    fn attempt(&self) -> Attempt<'_> {
        Attempt {
            tools: Tools {
                backend: self.backend,
                here: &self.world.here,
                lake: &self.world.lake,
            },
            node: &self.node,
            inputs: &self.inputs,
            session: &self.session,
            progress: &self.progress,
        }
    }

    async fn result(&self) -> DataFrame {
        result(&self.node, &self.session).await.unwrap()
    }

    async fn run(&self) -> Result<Done, PipelineError> {
        self.attempt().complete(&self.result().await).await
    }
}
