//! Events a second into Bronze, from Kafka and from files, and from there into Silver: `cargo bench --bench ingest`.

#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use clickrec::config::{Environment, LoadOptions, Project};
use clickrec::engine::{Engine, EngineOptions};
use clickrec::pipeline::{RunEvent, RunOptions, RunReport, Runner, Selection};
use clickrec::simulate::{Record, Simulation, SimulationConfig};
use clickrec::sources::kafka::{EmbeddedBroker, Producer};
use criterion::{Criterion, criterion_group, criterion_main};

use support::measure;
use tempfile::TempDir;
use tokio::runtime::Runtime;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const EVENTS: u64 = 500_000;

/// The repository's own project with an empty `sample_data`, its lake in a temporary folder.
struct Shop {
    folder: TempDir,
    runtime: Runtime,
}

impl Shop {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
        fs::copy(repository.join("pipelines.yaml"), folder.path().join("pipelines.yaml")).unwrap();
        std::os::unix::fs::symlink(repository.join("sql"), folder.path().join("sql")).unwrap();
        fs::create_dir(folder.path().join("sample_data")).unwrap();
        let runtime = Runtime::new().unwrap();
        Self { folder, runtime }
    }

    /// A file of the default source.
    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("sample_data").join(name)
    }

    /// Plans the project once; `env` gives the variables of the target.
    fn runner(&self, target: Option<&str>, env: &Environment) -> (Project, Runner) {
        let options = LoadOptions {
            target,
            vars: &Default::default(),
            env,
        };
        let project = Project::load(&self.folder.path().join("pipelines.yaml"), &options).unwrap();
        let engine = Engine::new(&EngineOptions {
            memory_bytes: 4 << 30,
            spill_dir: None,
            threads: None,
        })
        .unwrap();
        let runner = self.runtime.block_on(Runner::new(&project, engine)).unwrap();
        (project, runner)
    }

    /// Rebuilds the named steps, and says how many rows they read.
    fn rebuild(&self, (project, runner): &(Project, Runner), steps: &[&str]) -> u64 {
        let options = RunOptions {
            selection: Selection {
                select: steps.iter().map(|step| (*step).to_owned()).collect(),
                ..Selection::default()
            },
            full_refresh: true,
            ..RunOptions::default()
        };
        let mut ignore = |_: RunEvent<'_>| {};
        let run = runner.run_once(&project.pipelines[0], &options, &mut ignore);
        self.runtime
            .block_on(run)
            .and_then(RunReport::into_outcomes)
            .unwrap()
            .iter()
            .map(|outcome| outcome.read)
            .sum()
    }
}

fn each_record(mut take: impl FnMut(&Record)) {
    let mut simulation = Simulation::new(SimulationConfig {
        events: EVENTS,
        dirty: 0.01,
        ..Default::default()
    });
    let mut record = Record::default();
    while simulation.next_into(&mut record) {
        take(&record);
    }
}

fn kafka_to_bronze(criterion: &mut Criterion) {
    let broker = EmbeddedBroker::start("clickstream", 8).unwrap();
    let mut producer = Producer::connect(&broker.config("clickstream")).unwrap();
    each_record(|record| producer.send(Some(&record.key), Some(&record.value)).unwrap());
    assert_eq!(producer.flush().unwrap(), EVENTS);

    let shop = Shop::new();
    let brokers = broker.brokers();
    let environment = Environment::of(move |name| (name == "KAFKA_BROKERS").then(|| brokers.clone()));
    let runner = shop.runner(Some("kafka"), &environment);
    measure(criterion, "ingest", "kafka_to_bronze", EVENTS, || {
        assert_eq!(shop.rebuild(&runner, &["bronze.clicks"]), EVENTS);
    });
}

fn files_to_bronze_to_silver(criterion: &mut Criterion) {
    let shop = Shop::new();
    // Two files, so that both can be read at once.
    let mut files = [1, 2].map(|n| BufWriter::new(File::create(shop.file(&format!("{n}.json"))).unwrap()));
    let mut turn = 0;
    each_record(|record| {
        turn = 1 - turn;
        files[turn].write_all(&record.value).unwrap();
        files[turn].write_all(b"\n").unwrap();
    });
    for file in &mut files {
        file.flush().unwrap();
    }

    let runner = shop.runner(None, &Environment::of(|_| None));
    measure(criterion, "ingest", "ndjson_to_bronze", EVENTS, || {
        assert_eq!(shop.rebuild(&runner, &["bronze.clicks"]), EVENTS);
    });
    measure(criterion, "ingest", "bronze_to_silver", EVENTS, || {
        shop.rebuild(&runner, &["silver.events", "silver.quarantine"]);
    });
}

criterion_group!(benches, kafka_to_bronze, files_to_bronze_to_silver);
criterion_main!(benches);
