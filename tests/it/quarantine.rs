//! Rejected records are kept with their reason, and can be reprocessed after the SQL was fixed.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;

use crate::support::Shop;

const FIXED: (&str, &str) = (
    "click['event_type'] as event_type",
    "lower(click['event_type']) as event_type",
);

/// A shop in which some records have the event type in capitals, and two are not JSON.
fn shop_with_capitals(capitals: u64) -> (Shop, u64) {
    let shop = Shop::without_recommender();
    shop.produce("1.json", 1_000, 1, 0.0);
    write_capitals(&shop, "2.json", capitals);
    fs::write(shop.path("sample_data/3.json"), b"no json\n{\"event_type\": \xff}\n").unwrap();
    (shop, 1_000 + capitals + 2)
}

fn write_capitals(shop: &Shop, file: &str, records: u64) {
    let line = |n: u64| {
        format!(
            r#"{{"timestamp":"2025-07-14T00:{:02}:{:02}Z","session_id":"{file}_{}","user_id":"u","item_id":"prod_{n}","event_type":"VIEW"}}"#,
            n / 60 % 60,
            n % 60,
            n / 10
        ) + "\n"
    };
    fs::write(
        shop.path("sample_data").join(file),
        (0..records).map(line).collect::<String>(),
    )
    .unwrap();
}

fn json(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap()
}

fn result_of(rows: &[Value], step: &str) -> String {
    let row = rows.iter().find(|row| row["step"] == step).unwrap();
    row["result"].as_str().unwrap().to_owned()
}

#[test]
fn reasons_are_listed_with_counts_and_records_with_their_bytes() {
    let (shop, produced) = shop_with_capitals(40);
    shop.ok(&["run"]);
    shop.assert_nothing_lost(produced);
    let reasons = json(&shop.ok(&["quarantine", "--json"]));
    assert_eq!(
        (reasons[0]["reason"].as_str(), reasons[0]["records"].as_u64()),
        (Some("event_type is unknown"), Some(40))
    );
    assert!(reasons[0]["example"].as_str().unwrap().contains("VIEW"));
    assert!(shop.ok(&["quarantine"]).contains("event_type is"));

    let records = json(&shop.ok(&["quarantine", "show", "event_type", "-n", "3", "--json"]));
    assert_eq!(records.len(), 3);
    assert!(
        records
            .iter()
            .all(|record| record["topic"].as_str().unwrap().ends_with("2.json"))
    );
    let all = json(&shop.ok(&["quarantine", "show", "-n", "100", "--json"]));
    assert_eq!(all.len(), 42);
    let not_text = all.iter().find(|record| record["value_hex"].is_string()).unwrap();
    assert!(not_text["value_hex"].as_str().unwrap().contains("ff"));
    assert!(
        !shop
            .ok(&["quarantine", "show", "nothing of this kind", "--json"])
            .contains("topic")
    );
}

#[test]
fn after_a_fix_the_records_go_on_and_nothing_is_rebuilt() {
    let (shop, produced) = shop_with_capitals(40);
    shop.ok(&["run"]);
    shop.edit("sql/silver/clicks.sql", FIXED.0, FIXED.1);
    // Records that have reached Bronze, but that no step has processed yet.
    write_capitals(&shop, "4.json", 7);
    shop.ok(&["run", "--select", "bronze.clicks"]);

    let replayed = json(&shop.ok(&["quarantine", "replay", "--json"]));
    assert_eq!(
        (replayed[0]["before"].as_u64(), replayed[0]["after"].as_u64()),
        (Some(42), Some(2))
    );
    assert_eq!(replayed[0]["steps"][0], "silver.events");
    let run = shop.run_steps();
    for silver in ["silver.events", "silver.quarantine"] {
        assert_eq!(result_of(&run, silver), "up to date", "{silver}");
    }
    assert_eq!(result_of(&run, "gold.sessions"), "new rows");
    shop.assert_nothing_lost(produced + 7);
    assert_eq!(shop.number("select count(*) from silver.events"), 1_047);
    let again = json(&shop.ok(&["quarantine", "replay", "--json"]));
    assert_eq!(
        (again[0]["before"].as_u64(), again[0]["after"].as_u64()),
        (Some(2), Some(2))
    );

    let tables = [
        "silver.events",
        "silver.quarantine",
        "gold.sessions",
        "gold.session_items",
    ];
    let before = shop.tables(&tables);
    shop.ok(&["run", "--full-refresh"]);
    for ((table, before), after) in tables.iter().zip(before).zip(shop.tables(&tables)) {
        assert_eq!(before, after, "{table} is what a rebuild gives");
    }
}

#[test]
fn a_rejected_record_stays_with_the_reason_that_holds_now() {
    let (shop, produced) = shop_with_capitals(5);
    shop.ok(&["run"]);
    shop.edit(
        "sql/silver/clicks.sql",
        "then 'event_type is unknown'",
        "then concat('no such event_type: ', event_type)",
    );
    shop.ok(&["quarantine", "replay"]);
    assert_eq!(
        shop.number("select count(*) from silver.quarantine where reason = 'no such event_type: VIEW'"),
        5
    );
    shop.assert_nothing_lost(produced);
    // If a step could not process a record twice, nothing is replayed.
    shop.edit(
        "pipelines.yaml",
        "compact_min_age: 0s, mode: merge, key: [event_id, event_date] }",
        "mode: append }",
    );
    let (code, error) = shop.fails(&["quarantine", "replay"]);
    assert!(
        code == 1 && error.contains("`silver.events` has mode `append`"),
        "{error}"
    );
}

#[test]
fn a_replay_that_is_killed_at_any_moment_is_run_again() {
    let (shop, produced) = shop_with_capitals(2_000);
    shop.ok(&["run"]);
    shop.edit("sql/silver/clicks.sql", FIXED.0, FIXED.1);
    let mut random = StdRng::seed_from_u64(7);
    let mut whole = Duration::from_millis(1_000);
    let mut killed = 0;
    for attempt in 0..30_u32 {
        let fix = if attempt % 2 == 0 { (FIXED.1, FIXED.0) } else { FIXED };
        // Back and forth, so that every replay has work to do: capitals are accepted, or new ones are rejected.
        shop.edit("sql/silver/clicks.sql", fix.0, fix.1);
        let file = format!("more-{attempt}.json");
        write_capitals(&shop, &file, 50);
        shop.ok(&["run", "--select", "bronze.clicks"]);
        let started = Instant::now();
        let mut replay = shop.start(&["quarantine", "replay"]);
        thread::sleep(whole.mul_f64(random.random_range(0.05..0.95)));
        if replay.try_wait().unwrap().is_none() {
            replay.kill().unwrap();
            killed += 1;
        } else {
            whole = started.elapsed().min(whole);
        }
        replay.wait().unwrap();
        if killed == 8 {
            let more = u64::from(attempt + 1) * 50;
            if attempt % 2 == 0 {
                shop.edit("sql/silver/clicks.sql", FIXED.0, FIXED.1);
            }
            shop.ok(&["quarantine", "replay"]);
            shop.assert_nothing_lost(produced + more);
            let places = "select count(*) from (select topic, partition, \"offset\" from silver.quarantine group by all \
                          having count(*) > 1)";
            assert_eq!(shop.number(places), 0, "none twice");
            assert_eq!(shop.number("select count(*) from silver.quarantine"), 2);
            return;
        }
    }
    panic!("only {killed} replays were killed in their middle");
}
