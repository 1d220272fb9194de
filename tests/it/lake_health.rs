//! A lake that is written for a long time stays fast and small: compaction, checkpoints, log cleanup, vacuum.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use crate::saved::Saved;
use crate::support::Shop;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Tables whose rows depend only on the events.
const TABLES: [&str; 5] = [
    "bronze.clicks",
    "silver.events",
    "silver.quarantine",
    "gold.sessions",
    "gold.session_items",
];

fn json(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap()
}

/// The row of a table in a command's result.
fn of<'a>(rows: &'a [Value], table: &str) -> &'a Value {
    rows.iter()
        .find(|row| row["table"] == table || row["step"] == table)
        .unwrap()
}

fn all_up_to_date(shop: &Shop) -> bool {
    shop.run_steps().iter().all(|row| row["result"] == "up to date")
}

/// A shop that received its events in several runs.
fn shop_of_runs(runs: usize) -> Shop {
    static RUNS: [OnceLock<Saved>; 5] = [const { OnceLock::new() }; 5];
    Shop::once(&RUNS[runs], || {
        let Some(before) = runs.checked_sub(1) else {
            return Shop::without_recommender();
        };
        let shop = shop_of_runs(before);
        shop.produce(&format!("{before}.json"), 500, runs as u64, 0.1);
        shop.ok(&["run"]);
        shop
    })
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> = entries
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect();
    found.sort();
    found
}

/// Makes a file look as if it was written that long ago.
fn age(path: &Path, age: Duration) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - age).unwrap();
}

#[test]
fn optimize_puts_small_files_together_and_no_step_notices() {
    let shop = shop_of_runs(4);
    let before = shop.tables(&TABLES);
    let planned = json(&shop.ok(&["optimize", "--dry-run", "--json"]));
    let done = json(&shop.ok(&["optimize", "--json"]));
    assert_eq!(
        of(&planned, "bronze.clicks")["files_before"],
        of(&done, "bronze.clicks")["files_before"]
    );
    assert!(of(&done, "bronze.clicks")["files_before"].as_u64() >= Some(4));
    assert_eq!(of(&done, "bronze.clicks")["files_after"], 1);
    for ((table, before), after) in TABLES.iter().zip(before).zip(shop.tables(&TABLES)) {
        assert_eq!(before, after, "{table}");
    }
    assert!(all_up_to_date(&shop), "no row has changed");
    let again = json(&shop.ok(&["optimize", "--json"]));
    assert!(again.iter().all(|row| row["version"].is_null()), "{again:?}");

    shop.produce("more.json", 300, 77, 0.0);
    let more = shop.run_steps();
    assert_eq!(
        of(&more, "silver.reconciliation")["records"]["read"],
        300,
        "changes('…') holds the new rows alone"
    );
    shop.assert_nothing_lost(2_300);
    let (code, error) = shop.fails(&["optimize", "gold.unknown"]);
    assert!(code == 1 && error.contains("no table `gold.unknown`"), "{error}");
}

#[test]
fn optimize_beside_runs_loses_and_doubles_nothing() {
    let shop = Shop::without_recommender();
    for run in 0..12 {
        shop.produce(&format!("{run}.json"), 400, run + 1, 0.1);
        // Two concurrent runs: with the Delta library's own OPTIMIZE, both would succeed and duplicate the rows.
        let mut others = [shop.start(&["optimize"]), shop.start(&["optimize"])];
        shop.ok(&["run"]);
        for other in &mut others {
            assert!(other.wait().unwrap().success(), "optimize gives way, and does not fail");
        }
    }
    shop.assert_nothing_lost(4_800);
    let gold = shop.table("gold.session_items");
    shop.ok(&["run", "--full-refresh"]);
    assert_eq!(gold, shop.table("gold.session_items"));
    let modes: Vec<String> = json(&shop.ok(&["history", "bronze.clicks", "-n", "100", "--json"]))
        .iter()
        .map(|commit| commit["mode"].to_string())
        .collect();
    assert!(modes.contains(&"\"compact\"".to_owned()), "{modes:?}");
}

#[test]
fn compaction_sorts_by_the_columns_of_cluster_by() {
    let shop = Shop::up_to_silver();
    shop.edit(
        "pipelines.yaml",
        "key: [event_id, event_date] }",
        "key: [event_id, event_date], cluster_by: [item_id, event_at] }",
    );
    for run in 0..3 {
        shop.produce(&format!("{run}.json"), 300, run + 1, 0.0);
        shop.ok(&["run"]);
    }
    let sql = "select item_id, event_at from silver.events";
    let in_order = || shop.ok(&["sql", "--threads", "1", "--format", "csv", "-c", sql]);
    let sorted = shop.ok(&[
        "sql",
        "--format",
        "csv",
        "-c",
        &format!("{sql} order by item_id, event_at"),
    ]);
    assert_ne!(in_order(), sorted);
    shop.ok(&["optimize", "silver.events"]);
    assert_eq!(in_order(), sorted);
    assert!(all_up_to_date(&shop), "the layout is no change of the logic");
    shop.edit("pipelines.yaml", "cluster_by: [item_id,", "cluster_by: [item,");
    let (code, error) = shop.fails(&["plan"]);
    assert!(code == 2 && error.contains("the cluster_by column `item`"), "{error}");
}

#[test]
fn a_run_compacts_makes_checkpoints_and_cleans_up_on_its_own() {
    let shop = Shop::without_recommender();
    let maintenance = "maintenance: { compact_after: 4, compact_min_age: 0s, checkpoint_after: 5 }\npipelines:";
    shop.edit("pipelines.yaml", "pipelines:", maintenance);
    let log = shop.path("lake/bronze/clicks/_delta_log");
    for run in 0..14 {
        shop.produce(&format!("{run}.json"), 200, run + 1, 0.1);
        if run > 4 {
            for file in files(&log, "") {
                age(&file, 8 * DAY);
            }
        }
        shop.ok(&["run"]);
    }
    shop.assert_nothing_lost(2_800);
    let active = of(&json(&shop.ok(&["optimize", "--dry-run", "--json"])), "bronze.clicks")["files_before"].as_u64();
    assert!(active <= Some(6), "{active:?} files of 14 runs");
    assert!(!files(&log, ".checkpoint.parquet").is_empty());
    assert!(!log.join(format!("{:020}.json", 0)).exists(), "the old log is gone");
    assert!(all_up_to_date(&shop), "how far inputs were read is known");

    // A step that has not run for longer than the log is retained reads everything.
    let version = |table: &str| {
        json(&shop.ok(&["history", table, "-n", "1", "--json"]))[0]["version"]
            .as_u64()
            .unwrap()
    };
    let read = version("bronze.clicks");
    for run in 20..32 {
        shop.produce(&format!("{run}.json"), 100, run + 1, 0.1);
        for file in files(&log, "") {
            age(&file, 8 * DAY);
        }
        shop.ok(&["run", "--select", "bronze.clicks"]);
    }
    assert!(
        !log.join(format!("{:020}.json", read + 1)).exists(),
        "what silver has not read is gone"
    );
    let late = shop.run_steps();
    assert_eq!(of(&late, "silver.events")["result"], "rebuilt");
    assert!(
        of(&late, "silver.events")["reason"]
            .as_str()
            .unwrap()
            .contains("no longer holds version")
    );
    shop.assert_nothing_lost(4_000);
}

#[test]
fn vacuum_takes_what_no_version_needs_and_never_what_a_step_may_be_writing() {
    let shop = shop_of_runs(3);
    let folder = shop.path("lake/silver/events");
    let active = files(&folder, ".parquet").len();
    // Left behind by a step that was killed before its commit.
    let orphan = |name: &str, days: u32| {
        let path = folder.join(name);
        fs::copy(&files(&folder, ".parquet")[0], &path).unwrap();
        age(&path, days * DAY);
        path
    };
    let rows = shop.table("silver.events");
    let (old, young) = (orphan("part-old.parquet", 9), orphan("part-young.parquet", 2));
    assert_eq!(rows, shop.table("silver.events"), "an orphan is invisible");

    let listed = shop.ok(&["vacuum", "--dry-run"]);
    assert!(
        listed.contains("part-old.parquet") && !listed.contains("part-young.parquet"),
        "{listed}"
    );
    assert!(old.exists());
    let (code, error) = shop.fails(&["vacuum", "--retain", "1h"]);
    assert!(code == 1 && error.contains("--even-if-in-use"), "{error}");
    shop.ok(&["vacuum"]);
    assert!(!old.exists() && young.exists());
    assert_eq!(
        files(&folder, ".parquet").len(),
        active + 1,
        "older versions can be read for seven days"
    );
    assert!(all_up_to_date(&shop));

    let gone = json(&shop.ok(&["vacuum", "--retain", "0s", "--even-if-in-use", "--json"]));
    assert!(
        !of(&gone, "gold.item_popularity")["files"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    assert!(!young.exists());
    assert_eq!(rows, shop.table("silver.events"));
    assert!(all_up_to_date(&shop));
    shop.produce("more.json", 300, 77, 0.1);
    shop.ok(&["run"]);
    shop.assert_nothing_lost(1_800);
}

/// Many small commits: the amount of log that planning has to read stays constant, for the table and for `system.runs`.
fn assert_flat_after(commits: u32) {
    let shop = Shop::up_to_silver();
    let maintenance = "maintenance: { compact_after: 8, checkpoint_after: 10 }\npipelines:";
    shop.edit("pipelines.yaml", "pipelines:", maintenance);
    let mut source = File::create(shop.path("sample_data/1.json")).unwrap();
    let mut started = Instant::now();
    for commit in 1..=commits {
        writeln!(source, "{{\"event_id\":\"{commit}\"}}").unwrap();
        shop.ok(&["run", "-q", "--select", "bronze.clicks"]);
        if commit % 1_000 == 0 {
            println!("after {commit} commits: {:?} a run", started.elapsed() / 1_000);
            started = Instant::now();
        }
    }
    assert_eq!(shop.number("select count(*) from bronze.clicks"), i64::from(commits));
    assert_eq!(shop.number("select count(*) from system.runs"), i64::from(commits));
    for table in ["bronze.clicks", "system.runs"] {
        assert_little_to_read(&shop, table);
    }
}

fn assert_little_to_read(shop: &Shop, table: &str) {
    let log = shop.path(&format!("lake/{}/_delta_log", table.replace('.', "/")));
    let version = |path: &PathBuf| {
        path.file_name().unwrap().to_str().unwrap()[..20]
            .parse::<u64>()
            .unwrap()
    };
    let checkpoint = files(&log, ".checkpoint.parquet").iter().map(version).max().unwrap();
    let after = files(&log, ".json")
        .iter()
        .filter(|file| version(file) > checkpoint)
        .count();
    assert!(
        after <= 11,
        "{table}: {after} entries to read after the last checkpoint"
    );
    let small = json(&shop.ok(&["optimize", "--dry-run", "--json", table]))[0]["files_before"]
        .as_u64()
        .unwrap();
    assert!(small <= 8 * 4, "{table}: {small} small files");
}

#[test]
fn after_many_small_commits_there_is_no_more_to_read() {
    assert_flat_after(150);
}

#[test]
#[ignore = "takes about 40 minutes"]
fn after_ten_thousand_small_commits_there_is_no_more_to_read() {
    assert_flat_after(10_000);
}
