//! Events a second into Bronze, from Kafka and from files of each format, and from there into Silver; and records a
//! second that `from_json` parses, flat and nested, and `from_avro`: `cargo bench --bench ingest`.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "support/clicks.rs"]
mod clicks;
mod support;

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, StringArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use clickrec::config::{Environment, LoadOptions, Project};
use clickrec::engine::{Engine, EngineOptions};
use clickrec::pipeline::{RunEvent, RunOptions, RunReport, Runner, Selection};
use clickrec::simulate::{Record, Simulation, SimulationConfig};
use clickrec::sources::kafka::{EmbeddedBroker, Producer};
use clickrec_udfs::{RegisteredSchema, Schema, SchemaId, SchemaRegistry, ValueSchemas, schema_functions};
use criterion::{Criterion, criterion_group, criterion_main};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::async_udf::AsyncScalarUDF;
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF};
use futures::executor::block_on;

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
        Self::reading("ndjson")
    }

    /// With files of this format.
    fn reading(format: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
        let project = fs::read_to_string(repository.join("pipelines.yaml")).unwrap();
        let project = project.replace("format: ndjson", &format!("format: {format}"));
        fs::write(folder.path().join("pipelines.yaml"), project).unwrap();
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

/// Writes a file of clicks with these numbers.
type WriteFile = fn(&Path, Range<u64>);

/// The same events in files of different formats.
fn formats_to_bronze(criterion: &mut Criterion) {
    let formats: [(&str, WriteFile); 5] = [
        ("ndjson", clicks::write_ndjson),
        ("csv", clicks::write_csv),
        ("parquet", clicks::write_parquet),
        ("avro", clicks::write_avro),
        ("arrow", clicks::write_arrow),
    ];
    for (format, write) in formats {
        let shop = Shop::reading(format);
        for (name, numbers) in [("1", 0..EVENTS / 2), ("2", EVENTS / 2..EVENTS)] {
            write(&shop.file(&format!("{name}.{format}")), numbers);
        }
        let runner = shop.runner(None, &Environment::of(|_| None));
        measure(criterion, "formats_to_bronze", format, EVENTS, || {
            assert_eq!(shop.rebuild(&runner, &["bronze.clicks"]), EVENTS);
        });
    }
}

/// The records that are parsed, and how many come in a batch.
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

/// Batches as Bronze has them.
fn batches_of_bytes(record: impl Fn(u64) -> Vec<u8>) -> Vec<ArrayRef> {
    let records: Vec<Vec<u8>> = (0..RECORDS as u64).map(record).collect();
    let batch = |records: &[Vec<u8>]| Arc::new(BinaryArray::from_iter_values(records)) as ArrayRef;
    records.chunks(BATCH).map(batch).collect()
}

fn json_function() -> Arc<ScalarUDF> {
    let functions = clickrec_udfs::scalar_functions();
    let mut functions = functions.into_iter();
    functions.find(|function| function.name() == "from_json").unwrap()
}

/// Parses all batches on one core.
fn parse(function: &ScalarUDF, columns: &str, batches: &[ArrayRef]) {
    let columns = ScalarValue::from(columns);
    let field = |name, data_type: &DataType| -> FieldRef { Arc::new(Field::new(name, data_type.clone(), true)) };
    let arg_fields = vec![
        field("value", batches[0].data_type()),
        field("columns", &DataType::Utf8),
    ];
    let return_field = function
        .return_field_from_args(ReturnFieldArgs {
            arg_fields: &arg_fields,
            scalar_arguments: &[None, Some(&columns)],
        })
        .unwrap();
    for batch in batches {
        let args = ScalarFunctionArgs {
            args: vec![
                ColumnarValue::Array(batch.clone()),
                ColumnarValue::Scalar(columns.clone()),
            ],
            arg_fields: arg_fields.clone(),
            number_rows: batch.len(),
            return_field: return_field.clone(),
            config_options: Arc::default(),
        };
        let parsed = match function.inner().downcast_ref::<AsyncScalarUDF>() {
            Some(function) => block_on(function.invoke_async_with_args(args)),
            None => function.invoke_with_args(args),
        };
        let rows = parsed.unwrap().into_array(batch.len()).unwrap();
        let errors = rows.as_struct().column_by_name("error").unwrap();
        assert_eq!(errors.null_count(), batch.len());
    }
}

/// How many times as long one takes as the other, in turns, so that whatever else the machine does slows down both.
fn ratio(one: impl Fn(), other: impl Fn()) -> f64 {
    let seconds = |work: &dyn Fn()| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    };
    let mut ratios: Vec<f64> = (0..11).map(|_| seconds(&one) / seconds(&other)).collect();
    ratios.sort_by(f64::total_cmp);
    ratios[ratios.len() / 2]
}

fn from_json(criterion: &mut Criterion) {
    let function = json_function();
    let (flat, nested) = (batches(flat_record), batches(nested_record));
    let (parse_flat, parse_nested) = (|| parse(&function, FLAT, &flat), || parse(&function, NESTED, &nested));
    eprintln!(
        "from_json: nested records take {:.2} times as long as flat ones with the same values",
        ratio(parse_nested, parse_flat)
    );
    measure(criterion, "from_json", "flat", RECORDS as u64, parse_flat);
    measure(criterion, "from_json", "nested", RECORDS as u64, parse_nested);
}

/// A registry without a network.
#[derive(Debug)]
struct InMemory;

#[async_trait::async_trait]
impl SchemaRegistry for InMemory {
    fn is_same(&self, _: &dyn SchemaRegistry) -> bool {
        true
    }

    async fn schema(&self, _: SchemaId) -> Result<RegisteredSchema> {
        let schema = Schema::avro(clicks::AVRO_SCHEMA).map_err(DataFusionError::Execution)?;
        Ok(RegisteredSchema::Known(schema))
    }
}

/// The same events as JSON and as Avro, to the columns that Silver has.
fn to_columns_of_silver(criterion: &mut Criterion) {
    let registry = ValueSchemas::Registry(Arc::new(InMemory));
    let [of_avro, _] = schema_functions(&[("clicks".to_owned(), registry)].into());
    let of_json = json_function();
    let (json, avro) = (batches_of_bytes(clicks::json), batches_of_bytes(clicks::avro));
    let (parse_json, parse_avro) = (
        || parse(&of_json, clicks::COLUMNS, &json),
        || parse(&of_avro, clicks::COLUMNS, &avro),
    );
    eprintln!(
        "from_avro: records take {:.2} times as long as from_json takes for the same values",
        ratio(parse_avro, parse_json)
    );
    measure(
        criterion,
        "to_columns_of_silver",
        "from_json",
        RECORDS as u64,
        parse_json,
    );
    measure(
        criterion,
        "to_columns_of_silver",
        "from_avro",
        RECORDS as u64,
        parse_avro,
    );
}

criterion_group!(
    benches,
    from_json,
    to_columns_of_silver,
    kafka_to_bronze,
    files_to_bronze_to_silver,
    formats_to_bronze
);
criterion_main!(benches);
