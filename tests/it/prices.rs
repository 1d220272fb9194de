//! A shop with three small steps, run in this process: prices of items from files, merged by item, and summed up.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use arrow::util::display::{ArrayFormatter, FormatOptions};
use clickrec::config::{Environment, LoadOptions, Project};
use clickrec::engine::{Engine, EngineOptions, query};
use clickrec::pipeline::runs::Run;
use clickrec::pipeline::{Decision, Outcome, RunOptions, Runner, Selection, chain};
use clickrec::sources::OnLoss;
use deltalake::DeltaTable;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use url::Url;

use crate::saved::Saved;

const BRONZE: &str = r#"select topic, partition, "offset" as line, value from changes('clicks')"#;
pub const SILVER: &str = "select click['item_id'] as item_id, cast(click['price'] as double) as price, \
                      click['gone'] = 'yes' as gone, line from (select line, from_json(value, 'item_id string, price \
                      string, gone string') as click from changes('bronze.clicks'))";
const GOLD: &str = "select count(*) as items, sum(price) as total from silver.prices";

pub struct Prices {
    folder: TempDir,
    runtime: Runtime,
}

impl Prices {
    /// With these settings for `silver.prices`, and additional steps.
    pub fn new(silver: &str, more_steps: &str) -> Self {
        let prices = Self {
            folder: TempDir::new().unwrap(),
            runtime: Runtime::new().unwrap(),
        };
        for (file, sql) in [("bronze.sql", BRONZE), ("silver.sql", SILVER), ("gold.sql", GOLD)] {
            prices.write(file, sql);
        }
        prices.write(
            "pipelines.yaml",
            &format!(
                "lake: ./lake\nsources: {{ clicks: {{ files: {{ path: data }} }} }}\npipelines:\n  shop:\n    steps:\n\
                 \x20     - {{ name: bronze.clicks, sql: bronze.sql, mode: append }}\n\
                 \x20     - {{ name: silver.prices, sql: silver.sql, {silver} }}\n\
                 \x20     - {{ name: gold.total, sql: gold.sql, mode: overwrite }}\n{more_steps}"
            ),
        );
        fs::create_dir(prices.path("data")).unwrap();
        prices
    }

    /// A copy of the shop, in its current state, in another folder.
    pub fn copy(&self) -> Self {
        let copy = Self {
            folder: TempDir::new().unwrap(),
            runtime: Runtime::new().unwrap(),
        };
        Saved::of(self.folder.path()).write_to(copy.folder.path());
        copy
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub fn write(&self, file: &str, text: &str) {
        fs::write(self.path(file), text).unwrap();
    }

    /// Writes a file for the source: items, prices, and whether the item was deleted.
    pub fn produce(&self, file: &str, rows: &[(&str, &str, bool)]) {
        let mut text = String::new();
        for (item, price, gone) in rows {
            let gone = if *gone { "yes" } else { "no" };
            writeln!(text, r#"{{"item_id":"{item}","price":"{price}","gone":"{gone}"}}"#).unwrap();
        }
        self.write(&format!("data/{file}"), &text);
    }

    /// Runs all steps; returns what they did, or the error of the first that failed.
    pub fn run(&self) -> Result<Vec<Outcome>, String> {
        self.run_with(&RunOptions::default())
    }

    pub fn full_refresh(&self, select: &str) -> Result<Vec<Outcome>, String> {
        self.run_with(&RunOptions {
            full_refresh: true,
            ..selected(select)
        })
    }

    pub fn accept_loss(&self) -> Result<Vec<Outcome>, String> {
        let mut options = RunOptions::default();
        options.read.on_loss = OnLoss::Accept;
        self.run_with(&options)
    }

    pub fn run_with(&self, options: &RunOptions) -> Result<Vec<Outcome>, String> {
        let (project, runner) = self.runner()?;
        let pipeline = &project.pipelines[0];
        let told = |error: &clickrec::pipeline::PipelineError| chain(error, ": ");
        self.runtime.block_on(async {
            let run = Run::start(pipeline);
            let report = runner.run_once(pipeline, options, &mut |_| {}).await;
            let report = report.map_err(|error| told(&error))?;
            run.save(&runner, &report).await.map_err(|error| told(&error))?;
            report.into_outcomes().map_err(|error| told(&error))
        })
    }

    fn runner(&self) -> Result<(Project, Runner), String> {
        let options = LoadOptions {
            target: None,
            vars: &Default::default(),
            env: &Environment::of(|_| None),
        };
        let project = Project::load(&self.path("pipelines.yaml"), &options).map_err(|error| error.to_string())?;
        let options = EngineOptions {
            memory_bytes: 1 << 30,
            spill_dir: None,
            threads: Some(2),
        };
        let runner = Runner::new(&project, Engine::new(&options).unwrap());
        let runner = self.runtime.block_on(runner).map_err(|error| chain(&error, ": "))?;
        Ok((project, runner))
    }

    /// The rows of a query, sorted, with values separated by commas.
    pub fn rows(&self, sql: &str) -> Vec<String> {
        let (_, runner) = self.runner().unwrap();
        let batches = self.runtime.block_on(async {
            let session = runner.session().await.unwrap();
            query(&session, sql).await.unwrap().collect().await.unwrap()
        });
        let mut rows = vec![];
        for batch in &batches {
            let options = FormatOptions::default().with_null("-");
            let columns: Vec<_> = batch.columns().iter().collect();
            let columns: Vec<_> = columns
                .into_iter()
                .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
                .collect();
            rows.extend((0..batch.num_rows()).map(|row| {
                let values: Vec<String> = columns.iter().map(|column| column.value(row).to_string()).collect();
                values.join(",")
            }));
        }
        rows.sort();
        rows
    }

    /// The result of a query that returns one number.
    pub fn number(&self, sql: &str) -> u64 {
        self.rows(sql)[0].parse().unwrap()
    }

    /// Opens a table of the lake with the Delta library alone, as another engine would.
    pub fn other<R>(&self, table: &str, act: impl AsyncFnOnce(DeltaTable) -> R) -> R {
        let folder = self.path("lake").join(table.replace('.', "/"));
        let url = Url::from_directory_path(folder).unwrap();
        self.runtime
            .block_on(async { act(deltalake::open_table(url).await.unwrap()).await })
    }

    pub fn block_on<R>(&self, future: impl Future<Output = R>) -> R {
        self.runtime.block_on(future)
    }
}

pub fn selected(select: &str) -> RunOptions {
    RunOptions {
        selection: Selection {
            select: vec![select.to_owned()],
            ..Selection::default()
        },
        ..RunOptions::default()
    }
}

/// What a step did: `nothing`, `new rows`, or the reason it was rebuilt.
pub fn did<'a>(outcomes: &'a [Outcome], step: &str) -> &'a str {
    let outcome = outcomes.iter().find(|outcome| outcome.step.to_string() == step);
    match &outcome.unwrap().decision {
        Decision::UpToDate(_) => "nothing",
        Decision::Incremental => "new rows",
        Decision::Forward(_) => "forward",
        Decision::Backfill(_) => "backfilled",
        Decision::Full(reason) => reason,
    }
}
