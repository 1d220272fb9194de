//! Steps on a cluster, with a scheduler and executors as separate processes, produce the same tables as local ones.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::clustering::Cluster;
use crate::support::Shop;

/// The project's tables that a run writes.
const TABLES: [&str; 12] = [
    "bronze.clicks",
    "silver.quarantine",
    "silver.events",
    "gold.sessions",
    "gold.session_items",
    "gold.item_activity",
    "gold.item_popularity",
    "gold.item_trends",
    "gold.engagement",
    "gold.als_factors",
    "gold.model",
    "gold.recommendations",
];

/// Options of the processes: the cluster's own lake.
const THERE: &[&str] = &["--target", "cluster"];

/// A project with a second lake, for the cluster, over the same files.
fn shop_with_two_lakes() -> Shop {
    let shop = Shop::new();
    let targets = "targets:\n  local: {}\n  memory:\n    lake: ./memory_lake\n  cluster:\n    lake: ./cluster_lake";
    shop.edit("pipelines.yaml", "targets:", targets);
    shop
}

/// Processes everything pending on the cluster.
fn run_there(shop: &Shop, cluster: &Cluster<'_>) {
    shop.ok(&["run", "--target", "cluster", "--engine", &cluster.engine()]);
}

fn rows_of(shop: &Shop, target: &str, sql: &str) -> Vec<String> {
    let csv = shop.ok(&["--target", target, "sql", "--format", "csv", "-c", sql]);
    let mut rows: Vec<String> = csv.lines().skip(1).map(str::to_owned).collect();
    rows.sort();
    rows
}

/// The rows of [`TABLES`], sorted.
fn tables(shop: &Shop, target: &str) -> Vec<Vec<String>> {
    let queries = TABLES.map(|table| {
        // The time a file was found differs between the lakes.
        let but = match table {
            "bronze.clicks" => "exclude (timestamp)",
            "silver.quarantine" => "exclude (received_at)",
            _ => "",
        };
        format!("select * {but} from {table}")
    });
    shop.sorted(&["--target", target], &queries)
}

/// Compares text with numbers; those with a decimal point with some tolerance.
fn assert_alike(here: &str, there: &str, table: &str) {
    let parts = |row: &str| -> Vec<String> {
        let is_end = |c: char| !(c.is_alphanumeric() || ".-+_:".contains(c));
        row.split(is_end).map(str::to_owned).collect()
    };
    let (a, b) = (parts(here), parts(there));
    assert_eq!(a.len(), b.len(), "{table}: {here}\nbeside {there}");
    for (a, b) in a.iter().zip(&b) {
        let numbers = a
            .parse::<f64>()
            .ok()
            .zip(b.parse::<f64>().ok())
            .filter(|_| a.contains('.'));
        let near = numbers.is_some_and(|(a, b)| (a - b).abs() <= 1e-3 * a.abs().max(1e-2));
        assert!(a == b || near, "{table}: {a} beside {b} in {here}\nbeside {there}");
    }
}

fn assert_same_tables(shop: &Shop) {
    let (here, there) = (tables(shop, "local"), tables(shop, "cluster"));
    for ((table, here), there) in TABLES.iter().zip(&here).zip(&there) {
        assert_eq!(here.len(), there.len(), "{table}");
        for (here, there) in here.iter().zip(there) {
            assert_alike(here, there, table);
        }
    }
}

#[test]
fn a_cluster_makes_the_same_tables() {
    let shop = shop_with_two_lakes();
    shop.produce("1.json", 4_000, 1, 0.05);
    let cluster = Cluster::start(&shop, THERE, 3);
    for round in 2..4 {
        shop.ok(&["run"]);
        run_there(&shop, &cluster);
        assert_same_tables(&shop);
        // A second batch, to exercise merges.
        shop.produce(&format!("{round}.json"), 1_500, round, 0.05);
    }
}

/// The CPU time that a process has used, in kernel ticks.
fn ticks(process: &Child) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.id())).unwrap_or_default();
    // After the name in parentheses, fields 12 and 13 are user and system time (proc_pid_stat(5)).
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    let times = after.split_whitespace().skip(11).take(2);
    times.filter_map(|time| time.parse::<u64>().ok()).sum()
}

/// The number of ticks after which a process is certainly busy.
const BUSY: u64 = 12;

impl Cluster<'_> {
    /// Waits until an executor is busy; returns its index.
    fn wait_for_work(&self) -> usize {
        let before: Vec<u64> = self.executors.iter().map(ticks).collect();
        let give_up = Instant::now() + Duration::from_secs(60);
        loop {
            let is_busy = |place: &usize| ticks(&self.executors[*place]) >= before[*place] + BUSY;
            if let Some(place) = (0..self.executors.len()).find(is_busy) {
                return place;
            }
            assert!(Instant::now() < give_up, "no executor works");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until an executor is busy, and kills it.
    fn kill_the_busy_one(&mut self) {
        let mut executor = self.executors.remove(self.wait_for_work());
        executor.kill().unwrap();
        executor.wait().unwrap();
    }
}

/// Enough events that reading them takes a while.
const MANY: u64 = 1_000_000;

/// Settings that make training slow enough to be interrupted.
const LONG: [&str; 2] = ["--var", "iterations=150"];

/// Starts a run of some steps on the cluster.
fn start_there(shop: &Shop, cluster: &Cluster<'_>, steps: &str) -> Child {
    let engine = cluster.engine();
    let args = ["run", "--target", "cluster", "--engine", &engine, "--select", steps];
    let mut command = shop.command(&[&args, &LONG[..]].concat());
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn an_executor_that_is_killed_while_it_ingests_loses_and_doubles_nothing() {
    let shop = shop_with_two_lakes();
    shop.produce("1.json", MANY, 1, 0.05);
    let mut cluster = Cluster::start(&shop, THERE, 3);
    let run = start_there(&shop, &cluster, "bronze.clicks");
    cluster.kill_the_busy_one();
    let ended = run.wait_with_output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let sql = "select count(*), count(distinct concat(topic, cast(\"offset\" as varchar))) from bronze.clicks";
    assert_eq!(rows_of(&shop, "cluster", sql), [format!("{MANY},{MANY}")]);
}

#[test]
fn an_executor_that_is_killed_in_the_middle_of_silver_of_training_and_of_gold_changes_nothing() {
    let shop = shop_with_two_lakes();
    shop.produce("1.json", 150_000, 1, 0.05);
    shop.ok(&[&["run"], &LONG[..]].concat());
    let mut cluster = Cluster::start(&shop, THERE, 3);
    for (before, steps) in [
        ("bronze.clicks", "silver.events,gold.sessions,gold.session_items"),
        ("gold.item_popularity", "gold.als_factors"),
        ("gold.model", "gold.recommendations"),
    ] {
        assert!(start_there(&shop, &cluster, before).wait().unwrap().success());
        let run = start_there(&shop, &cluster, steps);
        cluster.kill_the_busy_one();
        let ended = run.wait_with_output().unwrap();
        assert!(
            ended.status.success(),
            "{steps}: {}",
            String::from_utf8_lossy(&ended.stderr)
        );
        cluster.add_executor();
    }
    let engine = cluster.engine();
    shop.ok(&[&["run", "--target", "cluster", "--engine", &engine], &LONG[..]].concat());
    assert_same_tables(&shop);
}

#[test]
fn a_scheduler_that_is_killed_ends_the_run_and_the_next_one_is_right() {
    let shop = shop_with_two_lakes();
    shop.produce("1.json", 60_000, 1, 0.05);
    shop.ok(&[&["run"], &LONG[..]].concat());
    let mut cluster = Cluster::start(&shop, THERE, 2);
    let engine = cluster.engine();
    let before = "bronze.clicks,silver.events,gold.sessions,gold.session_items";
    assert!(start_there(&shop, &cluster, before).wait().unwrap().success());
    let run = start_there(&shop, &cluster, "gold.als_factors");
    cluster.wait_for_work();
    cluster.scheduler.kill().unwrap();
    let ended = run.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(
        said.contains("the scheduler at") && said.contains("nothing was committed"),
        "{said}"
    );
    drop(cluster);
    let commit = "cluster_lake/gold/als_factors/_delta_log/00000000000000000000.json";
    assert!(!shop.path(commit).exists());

    let args = [
        "run",
        "--target",
        "cluster",
        "--engine",
        &engine,
        "--select",
        "gold.als_factors",
    ];
    let ended = shop.run(&args);
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(
        said.contains("does not answer") && said.contains("clickrec scheduler"),
        "{said}"
    );

    let cluster = Cluster::start(&shop, THERE, 2);
    shop.ok(&[
        &["run", "--target", "cluster", "--engine", &cluster.engine()],
        &LONG[..],
    ]
    .concat());
    assert_same_tables(&shop);
}

/// Enough events that small executors have to spill.
const LARGE: u64 = 600_000;

#[test]
fn work_that_executors_have_no_memory_for_goes_to_disks() {
    let shop = shop_with_two_lakes();
    shop.produce("1.json", LARGE, 1, 0.0);
    let steps = ["--select", "+gold.session_items"];
    shop.ok(&[&["run"], &steps[..]].concat());
    let small = ["--target", "cluster", "--memory", "208MiB"];
    let cluster = Cluster::start(&shop, &small, 3);
    let engine = cluster.engine();
    let ran = shop.run(&[&["run", "--target", "cluster", "--engine", &engine, "-v"], &steps[..]].concat());
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}");
    let spilled = said.split("spilled_bytes=").skip(1).map(|rest| -> u64 {
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next();
        digits.and_then(|digits| digits.parse().ok()).unwrap()
    });
    assert!(spilled.sum::<u64>() > 0, "everything fitted: {said}");
    for sql in [
        "select count(*), count(distinct event_id), count(distinct session_id), min(event_at), max(event_at) from silver.events",
        "select count(*), sum(events), sum(purchases), max(ended_at) from gold.sessions",
        "select count(*), count(distinct item_id), sum(views), max(last_event_at) from gold.session_items",
    ] {
        assert_eq!(rows_of(&shop, "local", sql), rows_of(&shop, "cluster", sql));
    }
}

#[test]
fn a_model_that_memory_does_not_hold_is_trained_by_queries() {
    let shop = shop_with_two_lakes();
    shop.produce("1.json", LARGE, 1, 0.0);
    let short = ["--var", "iterations=2"];
    for target in ["local", "cluster"] {
        shop.ok(&[&["run", "--target", target, "--select", "+gold.model"], &short[..]].concat());
    }
    let counts = "select interactions, sessions, items from gold.model";
    let expected = rows_of(&shop, "local", counts);
    let little = ["--memory", "58MiB"];
    let again = ["run", "--full-refresh", "--select", "gold.als_factors,gold.model"];
    let again = [&again, &short[..]].concat();
    let cluster = Cluster::start(&shop, &["--target", "cluster", "--memory", "58MiB"], 2);
    let engine = cluster.engine();
    for (target, options) in [("local", &little[..]), ("cluster", &["--engine", &engine])] {
        let ran = shop.run(&[&again[..], &["--target", target], options].concat());
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{target}: {said}");
        assert!(
            said.contains("the model does not fit into memory; training it with SQL queries"),
            "{target}: {said}"
        );
        let solver = rows_of(&shop, target, "select solver from gold.model");
        assert_eq!(solver, ["cholesky"], "{target}: rows are solved exactly");
        assert_eq!(rows_of(&shop, target, counts), expected, "{target}");
    }
    // Without the fallback, the error says how much memory it takes.
    shop.edit(
        "sql/gold/als_factors.sql",
        "seed => 42",
        "seed => 42, engine => 'memory'",
    );
    let said = shop.fails(&[&again[..], &little].concat()).1;
    for words in [" users, 300 items", "raise --memory", "engine => 'sql'"] {
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[test]
fn a_cluster_without_executors_says_so_and_goes_on_with_the_first_one() {
    let shop = shop_with_two_lakes();
    shop.produce("1.json", 1_000, 1, 0.0);
    let mut cluster = Cluster::start(&shop, THERE, 0);
    let mut run = start_there(&shop, &cluster, "bronze.clicks");
    let mut said = BufReader::new(run.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(said.any(|line| line.contains("the cluster has no executors")));
    cluster.add_executor();
    // Read to its end: a full pipe would block the run.
    said.for_each(drop);
    assert!(run.wait().unwrap().success());
    assert_eq!(
        rows_of(&shop, "cluster", "select count(*) from bronze.clicks"),
        ["1000"]
    );
}

/// A model's vectors by kind and ID.
fn factors(shop: &Shop, target: &str) -> std::collections::BTreeMap<(String, String), Vec<f64>> {
    let sql = "select kind, id, factors from gold.als_factors where kind <> 'model'";
    let json = shop.ok(&["--target", target, "sql", "--format", "json", "-c", sql]);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let numbers = |value: &serde_json::Value| value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
    let row = |row: &serde_json::Value| ((text(&row["kind"]), text(&row["id"])), numbers(&row["factors"]));
    rows.iter().map(row).collect()
}

#[test]
fn training_by_queries_gives_the_model_of_the_exact_solver_here_and_there() {
    let shop = shop_with_two_lakes();
    shop.produce("1.json", 3_000, 1, 0.0);
    shop.edit(
        "sql/gold/als_factors.sql",
        "seed => 42",
        "seed => 42, solver => 'cholesky'",
    );
    // Some pairs are dislikes.
    shop.edit(
        "sql/gold/session_items.sql",
        "'add_to_cart' then 3",
        "'add_to_cart' then -3",
    );
    let train = ["--select", "+gold.als_factors"];
    shop.ok(&[&["run", "--target", "memory"], &train[..]].concat());
    shop.edit("sql/gold/als_factors.sql", "seed => 42", "seed => 42, engine => 'sql'");
    // Tests have few rows, and train in memory anyway.
    shop.ok(&["test", "sql/tests/gold_model.yaml"]);
    shop.ok(&[&["run"], &train[..]].concat());
    let cluster = Cluster::start(&shop, THERE, 2);
    let engine = cluster.engine();
    shop.ok(&[&["run", "--target", "cluster", "--engine", &engine], &train[..]].concat());

    let expected = factors(&shop, "memory");
    let kind = |kind: &str| {
        expected
            .keys()
            .filter(move |(k, _)| k == kind)
            .step_by(7)
            .cloned()
            .collect::<Vec<_>>()
    };
    for target in ["local", "cluster"] {
        let found = factors(&shop, target);
        assert!(expected.keys().eq(found.keys()));
        // Only products are comparable, because the vectors may be rotated.
        for user in kind("user") {
            for item in kind("item") {
                let product = |model: &std::collections::BTreeMap<_, Vec<f64>>| -> f64 {
                    model[&user].iter().zip(&model[&item]).map(|(x, y)| x * y).sum()
                };
                let (a, b) = (product(&expected), product(&found));
                assert!(
                    (a - b).abs() < 1e-3,
                    "{target}: {a} beside {b} of {user:?} and {item:?}"
                );
            }
        }
        // The intermediate tables of half-steps are gone.
        let folder = if target == "local" { "lake" } else { "cluster_lake" };
        let files = fs::read_dir(shop.path(&format!("{folder}/gold/als_factors"))).unwrap();
        let files = files.filter(|file| {
            file.as_ref()
                .unwrap()
                .path()
                .extension()
                .is_some_and(|end| end == "parquet")
        });
        assert_eq!(files.count(), 1, "{target}");
    }
}
