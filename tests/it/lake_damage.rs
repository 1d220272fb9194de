//! Tables that were deleted, recreated or damaged: a clear error with a fix, and never a silent reset.

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::OnceLock;

use serde_json::Value;

use crate::saved::Saved;
use crate::support::Shop;

/// A shop that received its events in several runs, with a checkpoint after three commits.
fn shop_of_runs(runs: usize) -> Shop {
    static RUNS: [OnceLock<Saved>; 6] = [const { OnceLock::new() }; 6];
    Shop::once(&RUNS[runs], || {
        let Some(before) = runs.checked_sub(1) else {
            let shop = Shop::without_recommender();
            let maintenance = "maintenance: { checkpoint_after: 3 }\npipelines:";
            shop.edit("pipelines.yaml", "pipelines:", maintenance);
            return shop;
        };
        let shop = shop_of_runs(before);
        shop.produce(&format!("{before}.json"), 300, runs as u64, 0.1);
        shop.ok(&["run"]);
        shop
    })
}

/// The files in Bronze's log, in order.
fn log(shop: &Shop, ending: &str) -> Vec<PathBuf> {
    let folder = fs::read_dir(shop.path("lake/bronze/clicks/_delta_log")).unwrap();
    let mut files: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.to_string_lossy().ends_with(ending));
    files.sort();
    files
}

fn cut(file: &PathBuf, bytes: u64) {
    File::options().write(true).open(file).unwrap().set_len(bytes).unwrap();
}

fn step(rows: Vec<Value>, name: &str) -> Value {
    rows.into_iter().find(|row| row["step"] == name).unwrap()
}

#[test]
fn a_deleted_bronze_table_is_never_silently_recreated() {
    let shop = shop_of_runs(2);
    let silver = shop.table("silver.events");
    fs::rename(shop.path("lake/bronze"), shop.path("bronze-away")).unwrap();
    // The source holds less than was read from it.
    fs::remove_file(shop.path("sample_data/0.json")).unwrap();
    let (code, error) = shop.fails(&["run"]);
    assert!(
        code == 1 && error.contains("`bronze.clicks` is gone from the lake"),
        "{error}"
    );
    assert!(error.contains("--full-refresh --select bronze.clicks+"), "{error}");
    assert_eq!(silver, shop.table("silver.events"));

    // Once restored, it continues.
    fs::rename(shop.path("bronze-away"), shop.path("lake/bronze")).unwrap();
    shop.produce("2.json", 300, 9, 0.1);
    shop.ok(&["run"]);
    shop.assert_nothing_lost(900);

    // On request, it is rebuilt from what is there.
    fs::remove_dir_all(shop.path("lake/bronze")).unwrap();
    shop.ok(&["run", "--full-refresh", "--select", "bronze.clicks"]);
    let (code, error) = shop.fails(&["run"]);
    assert!(code == 1 && error.contains("is not the table that `silver."), "{error}");
    shop.ok(&["run", "--full-refresh", "--select", "bronze.clicks+"]);
    shop.assert_nothing_lost(600);
}

#[test]
fn a_bronze_table_that_does_not_say_how_far_it_was_read_is_refused() {
    let shop = shop_of_runs(1);
    // Like a copy made by another engine: the rows are there, but not the positions.
    let entry = log(&shop, ".json").pop().unwrap();
    let text = fs::read_to_string(&entry).unwrap();
    let others: Vec<&str> = text.lines().filter(|line| !line.contains("\"txn\"")).collect();
    fs::write(&entry, others.join("\n").replace("clickrec.mode", "other.mode") + "\n").unwrap();
    let (code, error) = shop.fails(&["run"]);
    assert!(
        code == 1 && error.contains("does not record how far its source was read"),
        "{error}"
    );
}

#[test]
fn a_deleted_table_of_silver_is_computed_again_and_the_run_says_so() {
    let shop = shop_of_runs(2);
    // (which sessions an event has left says how it arrived)
    let events = "select * except (replaced_session_ids) from silver.events";
    let tables = || shop.sorted(&[], &[events, "select * from gold.sessions"]);
    let before = tables();
    fs::remove_dir_all(shop.path("lake/silver/events")).unwrap();
    let row = step(shop.run_steps(), "silver.events");
    assert_eq!(
        (row["result"].as_str(), row["reason"].as_str()),
        (Some("rebuilt"), Some("its table does not exist yet"))
    );
    assert_eq!(before, tables());
}

#[test]
fn a_torn_newest_entry_of_the_log_is_named_and_can_be_moved_away() {
    for bytes in [300, 0] {
        let shop = shop_of_runs(3);
        let newest = log(&shop, ".json").pop().unwrap();
        cut(&newest, bytes);
        let (code, error) = shop.fails(&["run"]);
        let name = newest.file_name().unwrap().to_str().unwrap();
        assert!(
            code == 1 && error.contains(name) && error.contains("move it away"),
            "{error}"
        );
        fs::remove_file(&newest).unwrap();
        shop.ok(&["run"]);
        shop.assert_nothing_lost(900);
    }
    // Truncated between two lines: every line is intact, but the last ones are missing.
    let shop = shop_of_runs(2);
    let newest = log(&shop, ".json").pop().unwrap();
    let text = fs::read_to_string(&newest).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    fs::write(&newest, lines[..lines.len() - 1].join("\n")).unwrap();
    let (code, error) = shop.fails(&["run"]);
    assert!(code == 1 && error.contains("its end is missing"), "{error}");
}

#[test]
fn a_missing_entry_and_a_bad_checkpoint_are_named_with_the_way_out() {
    let shop = shop_of_runs(5);
    let name = |file: &PathBuf| file.file_name().unwrap().to_str().unwrap().to_owned();
    let refused = |what: &str, file: &PathBuf| {
        let (code, error) = shop.fails(&["run"]);
        assert!(
            code == 1 && error.contains(what) && error.contains(&name(file)),
            "{error}"
        );
    };
    let entries = log(&shop, ".json");
    let before_last = &entries[entries.len() - 2];
    let away = shop.path("away");
    fs::rename(before_last, &away).unwrap();
    refused("is missing", before_last);
    fs::rename(&away, before_last).unwrap();

    let checkpoints = log(&shop, ".checkpoint.parquet");
    let hint = log(&shop, "_last_checkpoint").pop().unwrap();
    for checkpoint in &checkpoints {
        cut(checkpoint, 200);
    }
    refused("the checkpoint is not complete", checkpoints.last().unwrap());
    for checkpoint in &checkpoints {
        fs::remove_file(checkpoint).unwrap();
    }
    refused("the checkpoint that it names does not exist", &hint);
    // The whole log is there, so it is read instead.
    fs::remove_file(hint).unwrap();
    shop.ok(&["run"]);
    shop.assert_nothing_lost(1_500);
}

#[test]
fn a_step_whose_new_rows_were_vacuumed_reads_everything() {
    let shop = shop_of_runs(1);
    for run in 10..13 {
        shop.produce(&format!("{run}.json"), 300, run, 0.1);
        shop.ok(&["run", "--select", "bronze.clicks"]);
    }
    shop.ok(&["optimize", "bronze.clicks"]);
    shop.ok(&["vacuum", "bronze.clicks", "--retain", "0s", "--even-if-in-use"]);
    let row = step(shop.run_steps(), "silver.events");
    assert!(
        row["reason"].as_str().unwrap().contains("a vacuum deleted files"),
        "{row}"
    );
    shop.assert_nothing_lost(1_200);
}

#[test]
fn a_data_file_that_is_gone_is_named_with_the_way_out() {
    let shop = shop_of_runs(1);
    let folder = fs::read_dir(shop.path("lake/bronze/clicks")).unwrap();
    let file = folder
        .map(|entry| entry.unwrap().path())
        .find(|path| path.is_file())
        .unwrap();
    fs::remove_file(&file).unwrap();
    for command in [
        vec!["run", "--full-refresh"],
        vec!["sql", "-c", "select max(value) from bronze.clicks"],
    ] {
        let (code, error) = shop.fails(&command);
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(
            code == 1 && error.contains(name) && error.contains("a vacuum or another program deleted the file"),
            "{error}"
        );
    }
}
