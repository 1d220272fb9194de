//! A project in a temporary folder, and the program run in it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

/// A project as created by `clickrec init`, but without its sample data.
pub struct Shop {
    folder: TempDir,
    environment: BTreeMap<String, String>,
}

impl Shop {
    /// A new project with the shipped SQL and an empty `sample_data`.
    pub fn new() -> Self {
        let shop = Self {
            folder: TempDir::new().unwrap(),
            environment: BTreeMap::new(),
        };
        shop.ok(&["init", "."]);
        for entry in fs::read_dir(shop.path("sample_data")).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
        shop
    }

    /// With the sample data.
    pub fn with_sample_data() -> Self {
        let shop = Self {
            folder: TempDir::new().unwrap(),
            environment: BTreeMap::new(),
        };
        shop.ok(&["init", "."]);
        shop
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

    /// Writes simulated events to a file of the default source.
    pub fn produce(&self, file: &str, events: u64, seed: u64, dirty: f64) {
        let (events, seed, dirty) = (events.to_string(), seed.to_string(), dirty.to_string());
        let file = format!("sample_data/{file}");
        let args = [
            "produce", "--to", &file, "--events", &events, "--seed", &seed, "--dirty", &dirty, "--items", "300",
        ];
        self.ok(&args);
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
        let count = |sql: &str| u64::try_from(self.number(sql)).unwrap();
        let bronze = count("select count(*) from bronze.clicks");
        assert_eq!(bronze, produced, "Bronze holds what was produced");
        let places = count("select count(*) from (select distinct topic, partition, \"offset\" from bronze.clicks)");
        assert_eq!(places, bronze, "each record once");
        let silver = count("select count(*) from silver.events");
        let quarantined = count("select count(*) from silver.quarantine");
        // The view looks up the outcome of all of Bronze.
        let of_outcome = |outcome: &str| count(&format!("select count(*) from silver.unaccepted where {outcome}"));
        let repeated = of_outcome("outcome = 'repeated'");
        assert_eq!(of_outcome("outcome is null"), 0, "records that are nowhere");
        assert_eq!(
            bronze,
            silver + quarantined + repeated,
            "{silver} + {quarantined} + {repeated}"
        );
        let rejected = "select topic, partition, \"offset\", reason from silver.unaccepted where outcome <> 'repeated'";
        let kept = "select topic, partition, \"offset\", reason from silver.quarantine";
        for (some, others) in [(rejected, kept), (kept, rejected)] {
            assert_eq!(
                count(&format!("select count(*) from ({some} except {others})")),
                0,
                "{some}"
            );
        }
        let different =
            "count(distinct concat(topic, '/', cast(partition as varchar), '/', cast(\"offset\" as varchar)))";
        assert_eq!(silver, count(&format!("select {different} from silver.events")));
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
    /// all of Gold's sessions.
    pub fn assert_equals_a_recomputation(&self) {
        let tables = || {
            let mut events = self.rows("select event_id, session_id, item_id, event_type, event_at from silver.events");
            events.sort();
            [events, self.table("gold.sessions"), self.table("gold.session_items")]
        };
        let batches = tables();
        self.ok(&["run", "--full-refresh"]);
        let anew = tables();
        for (batches, anew) in batches.iter().zip(&anew) {
            assert_eq!(batches.len(), anew.len());
            let other = batches.iter().zip(anew).find(|(batches, anew)| batches != anew);
            assert_eq!(other, None, "batches beside a recomputation");
        }
    }

    /// A table's rows, sorted for comparison.
    pub fn table(&self, name: &str) -> Vec<String> {
        let mut rows = self.rows(&format!("select * from {name}"));
        rows.sort();
        rows
    }
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
