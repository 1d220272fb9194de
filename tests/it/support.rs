//! A project in a temporary folder, and the program run in it.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use clickrec::simulate::{Simulation, SimulationConfig};
use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

use crate::saved::Saved;

/// What the shipped `pipelines.yaml` says of the catalog.
const CATALOG: [&str; 3] = [
    "  # The shop's catalog: read as a whole whenever it has changed
  items:
    files: { path: sample_data/_catalog/items.csv, format: csv, mode: snapshot }
",
    "  items: gold.items                      # the catalog: titles, prices and images for answers
",
    "      - name: gold.items
        sql: sql/gold/items.sql
        mode: overwrite
        expect: [{ not_null: [item_id], severity: quarantine }]
",
];

/// Rules of a shop without a catalog.
const ITEM_RULES: &str = "-- gold.item_rules (view): one row per item that the shop has a rule for.
select
    item_id,
    category,     -- at most `max_per_category` items of a category are shown (gold.recommendations)
    is_shown      -- false: never shown
from (values ('prod_7', 'shoes', true)) as rules (item_id, category, is_shown)
where false
";

/// A project as created by `clickrec init`, but without its sample data.
pub struct Shop {
    folder: TempDir,
    environment: BTreeMap<String, String>,
}

impl Shop {
    /// A new project with the shipped SQL, an empty `sample_data` and no catalog.
    pub fn new() -> Self {
        let shop = Self::with_sample_data();
        fs::remove_dir_all(shop.path("sample_data")).unwrap();
        fs::create_dir(shop.path("sample_data")).unwrap();
        for said in CATALOG {
            shop.edit("pipelines.yaml", said, "");
        }
        for file in ["sql/gold/items.sql", "sql/tests/gold_items.yaml"] {
            fs::remove_file(shop.path(file)).unwrap();
        }
        fs::write(shop.path("sql/gold/item_rules.sql"), ITEM_RULES).unwrap();
        shop
    }

    /// With the sample data, a catalog among it.
    pub fn with_sample_data() -> Self {
        static NEW: OnceLock<Saved> = OnceLock::new();
        Self::once(&NEW, || {
            let shop = Self::in_an_empty_folder();
            shop.ok(&["init", "."]);
            shop
        })
    }

    /// With the sample data, after a run.
    pub fn after_a_run() -> Self {
        static RUN: OnceLock<Saved> = OnceLock::new();
        Self::once(&RUN, || {
            let shop = Self::with_sample_data();
            shop.ok(&["run"]);
            shop
        })
    }

    /// After a run over simulated events.
    pub fn after_events(made: &OnceLock<Saved>, events: u64, seed: u64, dirty: f64) -> Self {
        Self::once(made, || {
            let shop = Self::new();
            shop.produce("events.json", events, seed, dirty);
            shop.ok(&["run"]);
            shop
        })
    }

    /// With the steps of Bronze and Silver alone, for tests that look no further: the others take most of a run's time.
    pub fn up_to_silver() -> Self {
        Self::with_steps_before("# Gold: what happened")
    }

    /// Without the steps that recommend.
    pub fn without_recommender() -> Self {
        Self::with_steps_before("# Gold: what to show next")
    }

    /// As [`Shop::new`], without the steps from a comment on, and without what is declared about their recommendations.
    fn with_steps_before(comment: &str) -> Self {
        let shop = Self::new();
        let project = fs::read_to_string(shop.path("pipelines.yaml")).unwrap();
        let (kept, _) = project.split_once(comment).unwrap();
        let (before, rest) = kept.split_once("# Which SQL recommends").unwrap();
        let (_, pipelines) = rest.split_once("\npipelines:\n").unwrap();
        fs::write(
            shop.path("pipelines.yaml"),
            format!("{before}pipelines:\n{pipelines}\n"),
        )
        .unwrap();
        shop
    }

    /// As `make` leaves a project: made once, and copied for each test.
    pub fn once(made: &OnceLock<Saved>, make: impl FnOnce() -> Self) -> Self {
        let made = made.get_or_init(|| Saved::of(make().folder.path()));
        let shop = Self::in_an_empty_folder();
        made.write_to(shop.folder.path());
        shop
    }

    /// An empty folder, for commands that need no project.
    pub fn in_an_empty_folder() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
            environment: BTreeMap::new(),
        }
    }

    /// Sets an environment variable for all its commands.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.insert(name.to_owned(), value.to_owned());
    }

    /// Removes the variable again.
    pub fn unset(&mut self, name: &str) {
        self.environment.remove(name);
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// The program in the project's folder.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .args(args)
            .current_dir(self.folder.path())
            .env_remove("KAFKA_BROKERS")
            .envs(&self.environment)
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs a command that must succeed; returns its standard output.
    pub fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{args:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that must fail; returns its exit code and standard error. It must not print a result.
    pub fn fails(&self, args: &[&str]) -> (i32, String) {
        let output = self.run(args);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{args:?} should fail");
        assert!(
            output.stdout.is_empty(),
            "{args:?} printed a result: {}",
            String::from_utf8_lossy(&output.stdout)
        );
        assert!(!errors.contains("panicked"), "{args:?}: {errors}");
        (output.status.code().expect("no exit code"), errors)
    }

    pub fn start(&self, args: &[&str]) -> Child {
        self.command(args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// Writes simulated events to a new file of the default source, as `clickrec produce` does.
    pub fn produce(&self, file: &str, events: u64, seed: u64, dirty: f64) {
        let simulation = Simulation::new(SimulationConfig {
            events,
            seed,
            dirty,
            items: 300,
            ..SimulationConfig::default()
        });
        let is_packed = file.ends_with(".gz");
        let file = fs::File::create_new(self.path("sample_data").join(file)).unwrap();
        if is_packed {
            let packed = lines(simulation, GzEncoder::new(file, Compression::fast()));
            packed.finish().unwrap();
        } else {
            lines(simulation, BufWriter::new(file)).flush().unwrap();
        }
    }

    /// The rows of a query as CSV, without a header.
    pub fn rows(&self, sql: &str) -> Vec<String> {
        self.ok(&["sql", "--format", "csv", "-c", sql])
            .lines()
            .skip(1)
            .map(str::to_owned)
            .collect()
    }

    /// The result of a query that returns one number.
    pub fn number(&self, sql: &str) -> i64 {
        let rows = self.rows(sql);
        rows.first()
            .and_then(|row| row.parse().ok())
            .unwrap_or_else(|| panic!("{sql}: {rows:?}"))
    }

    /// The results of queries that return one number each, from one start of the program, which plans the whole project.
    pub fn numbers<const N: usize>(&self, queries: [&str; N]) -> [i64; N] {
        let results = self.results(&[], &queries);
        let number = |at: usize| -> Option<i64> { results[at].first()?.parse().ok() };
        std::array::from_fn(|at| number(at).unwrap_or_else(|| panic!("{}: {:?}", queries[at], results[at])))
    }

    /// The rows of several queries, each as [`Shop::rows`] returns them, from one start of the program with these options.
    pub fn results<Q: Borrow<str>>(&self, options: &[&str], queries: &[Q]) -> Vec<Vec<String>> {
        let script = queries.join(";\nselect 1 as next_result;\n");
        let csv = self.ok(&[options, &["sql", "--format", "csv", "-c", &script]].concat());
        let results = csv.split("next_result\n1\n");
        let results: Vec<Vec<String>> = results
            .map(|rows| rows.lines().skip(1).map(str::to_owned).collect())
            .collect();
        assert_eq!(results.len(), queries.len(), "{csv}");
        results
    }

    /// Changes a file of the project.
    pub fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.path(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} does not contain {from}");
        fs::write(path, text.replace(from, to)).unwrap();
    }

    /// What a run did, one row per step.
    pub fn run_steps(&self) -> Vec<serde_json::Value> {
        let lines = self.ok(&["run", "--json"]);
        let events = lines
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        events.filter(|event| event["event"] == "step").collect()
    }

    /// Every record is in Silver, in quarantine, or a repeated delivery; none is in two of them.
    pub fn assert_nothing_lost(&self, produced: u64) {
        // The view looks up the outcome of all of Bronze.
        let rejected = "select topic, partition, \"offset\", reason from silver.unaccepted where outcome <> 'repeated'";
        let kept = "select topic, partition, \"offset\", reason from silver.quarantine";
        let but = |some: &str, others: &str| format!("select count(*) from ({some} except {others})");
        let [
            bronze,
            places,
            silver,
            events,
            quarantined,
            repeated,
            nowhere,
            not_kept,
            not_rejected,
        ] = self.numbers([
            "select count(*) from bronze.clicks",
            "select count(*) from (select distinct topic, partition, \"offset\" from bronze.clicks)",
            "select count(*) from silver.events",
            "select count(distinct concat(topic, '/', cast(partition as varchar), '/', cast(\"offset\" as varchar))) \
             from silver.events",
            "select count(*) from silver.quarantine",
            "select count(*) from silver.unaccepted where outcome = 'repeated'",
            "select count(*) from silver.unaccepted where outcome is null",
            &but(rejected, kept),
            &but(kept, rejected),
        ]);
        assert_eq!(u64::try_from(bronze), Ok(produced), "Bronze holds what was produced");
        assert_eq!(places, bronze, "each record once");
        assert_eq!(nowhere, 0, "records that are nowhere");
        assert_eq!(
            bronze,
            silver + quarantined + repeated,
            "{silver} + {quarantined} + {repeated}"
        );
        assert_eq!(not_kept, 0, "{rejected}");
        assert_eq!(not_rejected, 0, "{kept}");
        assert_eq!(silver, events);
    }

    /// The record counts of the last run: read, accepted, repeated, quarantined and conflicting.
    pub fn records_of_last_run(&self) -> [i64; 5] {
        let sql = "select records, accepted, repeated, quarantined, conflicting from system.runs where records is not null \
                   order by started_at desc limit 1";
        let rows = self.rows(sql);
        let counts: Vec<i64> = rows[0].split(',').map(|count| count.parse().unwrap()).collect();
        counts.try_into().unwrap()
    }

    /// The result of many batches equals that of a single one: events, except for the IDs of intermediate sessions, and
    /// all of Gold's sessions. Only what is compared is recomputed.
    pub fn assert_equals_a_recomputation(&self) {
        let queries = [
            "select event_id, session_id, item_id, event_type, event_at from silver.events",
            "select * from gold.sessions",
            "select * from gold.session_items",
        ];
        let batches = self.sorted(&[], &queries);
        let compared = "silver.*,gold.sessions,gold.session_items";
        self.ok(&["run", "--full-refresh", "--select", compared]);
        let anew = self.sorted(&[], &queries);
        for (batches, anew) in batches.iter().zip(&anew) {
            assert_eq!(batches.len(), anew.len());
            let other = batches.iter().zip(anew).find(|(batches, anew)| batches != anew);
            assert_eq!(other, None, "batches beside a recomputation");
        }
    }

    /// A table's rows, sorted for comparison.
    pub fn table(&self, name: &str) -> Vec<String> {
        self.tables(&[name]).remove(0)
    }

    /// The rows of several tables, sorted for comparison.
    pub fn tables(&self, names: &[&str]) -> Vec<Vec<String>> {
        let queries: Vec<String> = names.iter().map(|name| format!("select * from {name}")).collect();
        self.sorted(&[], &queries)
    }

    /// As [`Shop::results`], with the rows of each query sorted.
    pub fn sorted<Q: Borrow<str>>(&self, options: &[&str], queries: &[Q]) -> Vec<Vec<String>> {
        let mut results = self.results(options, queries);
        results.iter_mut().for_each(|rows| rows.sort());
        results
    }
}

/// Writes the records of a simulation, each as a line.
fn lines<W: Write>(simulation: Simulation, mut to: W) -> W {
    for record in simulation {
        to.write_all(&record.value).unwrap();
        to.write_all(b"\n").unwrap();
    }
    to
}

pub fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_clickrec"))
}

/// Sends a signal to a child: `TERM`, `STOP`, …
pub fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill")
        .args([&format!("-{name}"), &child.id().to_string()])
        .status();
    assert!(sent.unwrap().success(), "kill -{name}");
}

/// Reports that a test cannot run here. Not with `println`, which the test runner hides if a test passes.
#[allow(clippy::explicit_write, reason = "the runner captures what the macros print")]
pub fn skipped(test: &str, reason: &str) {
    writeln!(std::io::stderr(), "SKIPPED {test}: {reason}").unwrap();
}
