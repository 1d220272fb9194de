//! Events a second into Bronze, from Kafka and from files, and from there into Silver; and records a second that
//! `from_json` parses, flat and nested: `cargo bench --bench ingest`.

#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use clickrec::config::{Environment, LoadOptions, Project};
use clickrec::engine::{Engine, EngineOptions};
use clickrec::pipeline::{RunEvent, RunOptions, RunReport, Runner, Selection};
use clickrec::simulate::{Record, Simulation, SimulationConfig};
use clickrec::sources::kafka::{EmbeddedBroker, Producer};
use criterion::{Criterion, criterion_group, criterion_main};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs};

use support::measure;
use tempfile::TempDir;
use tokio::runtime::Runtime;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const EVENTS: u64 = 500_000;

/// The repository's own project without sample data, its lake in a temporary folder.
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

/// The records of `from_json`, and how many come in a batch.
const RECORDS: usize = 100_000;
const BATCH: usize = 8_192;

/// The same 13 values, as fields of a record and nested in it.
const FLAT: &str = "event_id string, timestamp timestamp, session_id string, user_id string, item_1 string, price_1 double, \
                    quantity_1 bigint, item_2 string, price_2 double, quantity_2 bigint, item_3 string, price_3 double, \
                    quantity_3 bigint";
const NESTED: &str = "event_id string, timestamp timestamp, session_id string from $.visitor.session, \
                      user_id string from $.visitor.user, items struct(item string, price double, quantity bigint)[]";

fn flat_record(n: usize) -> String {
    let items: Vec<String> = (1..=3)
        .map(|item| format!(r#""item_{item}":"item-{n}","price_{item}":{n}.25,"quantity_{item}":{item}"#))
        .collect();
    format!(
        r#"{{"event_id":"event-{n}","timestamp":"2025-07-13T18:42:10.123Z","session_id":"session-{n}","user_id":"user-{n}",{}}}"#,
        items.join(",")
    )
}

fn nested_record(n: usize) -> String {
    let items: Vec<String> = (1..=3)
        .map(|item| format!(r#"{{"item":"item-{n}","price":{n}.25,"quantity":{item}}}"#))
        .collect();
    format!(
        r#"{{"event_id":"event-{n}","timestamp":"2025-07-13T18:42:10.123Z","visitor":{{"session":"session-{n}","user":"user-{n}"}},"items":[{}]}}"#,
        items.join(",")
    )
}

fn batches(record: impl Fn(usize) -> String) -> Vec<ArrayRef> {
    let records: Vec<String> = (0..RECORDS).map(record).collect();
    let batch = |records: &[String]| Arc::new(StringArray::from_iter_values(records)) as ArrayRef;
    records.chunks(BATCH).map(batch).collect()
}

/// Parses all batches on one core.
fn parse(columns: &str, batches: &[ArrayRef]) {
    let functions = clickrec_udfs::scalar_functions();
    let from_json = functions
        .iter()
        .find(|function| function.name() == "from_json")
        .unwrap();
    let columns = ScalarValue::from(columns);
    let field = |name| -> FieldRef { Arc::new(Field::new(name, DataType::Utf8, true)) };
    let arg_fields = vec![field("value"), field("columns")];
    let return_field = from_json
        .return_field_from_args(ReturnFieldArgs {
            arg_fields: &arg_fields,
            scalar_arguments: &[None, Some(&columns)],
        })
        .unwrap();
    for batch in batches {
        let parsed = from_json.invoke_with_args(ScalarFunctionArgs {
            args: vec![
                ColumnarValue::Array(batch.clone()),
                ColumnarValue::Scalar(columns.clone()),
            ],
            arg_fields: arg_fields.clone(),
            number_rows: batch.len(),
            return_field: return_field.clone(),
            config_options: Arc::default(),
        });
        let rows = parsed.unwrap().into_array(batch.len()).unwrap();
        let errors = rows.as_struct().column_by_name("error").unwrap();
        assert_eq!(errors.null_count(), batch.len());
    }
}

fn from_json(criterion: &mut Criterion) {
    let (flat, nested) = (batches(flat_record), batches(nested_record));
    let seconds = |columns: &str, batches: &[ArrayRef]| {
        let start = Instant::now();
        parse(columns, batches);
        start.elapsed().as_secs_f64()
    };
    // In turns, so that whatever else the machine does slows down both.
    let mut ratios: Vec<f64> = (0..11)
        .map(|_| seconds(NESTED, &nested) / seconds(FLAT, &flat))
        .collect();
    ratios.sort_by(f64::total_cmp);
    eprintln!(
        "from_json: nested records take {:.2} times as long as flat ones with the same values",
        ratios[ratios.len() / 2]
    );
    measure(criterion, "from_json", "flat", RECORDS as u64, || parse(FLAT, &flat));
    measure(criterion, "from_json", "nested", RECORDS as u64, || {
        parse(NESTED, &nested)
    });
}

criterion_group!(benches, from_json, kafka_to_bronze, files_to_bronze_to_silver);
criterion_main!(benches);
