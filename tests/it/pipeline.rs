//! The main job from files: whatever arrives is in every layer exactly once, and Gold equals a rebuild.

use std::fs;

use crate::support::Shop;

/// Gold's relational tables, which do not depend on when the model was trained.
const GOLD: [&str; 5] = [
    "gold.sessions",
    "gold.session_items",
    "gold.item_popularity",
    "gold.item_trends",
    "gold.engagement",
];

fn outcomes(shop: &Shop) -> Vec<(String, String, u64)> {
    let text = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap().to_owned();
    let rows = shop.run_steps();
    rows.iter()
        .map(|row| {
            (
                text(row, "step"),
                text(row, "result"),
                row["rows_written"].as_u64().unwrap(),
            )
        })
        .collect()
}

#[test]
fn the_sample_data_runs_at_once() {
    let shop = Shop::with_sample_data();
    let summary = shop.ok(&["run"]);
    assert!(summary.contains("gold.recommendations"), "{summary}");
    let lines = fs::read_to_string(shop.path("sample_data/clicks.json")).map(|text| text.lines().count());
    // One record is not UTF-8, so the file may not be valid text.
    let produced = lines.unwrap_or_else(|_| {
        fs::read(shop.path("sample_data/clicks.json"))
            .unwrap()
            .split(|b| *b == b'\n')
            .count()
            - 1
    });
    shop.assert_nothing_lost(produced as u64);
    assert!(
        shop.number("select count(distinct reason) from silver.quarantine") >= 6,
        "every kind of dirt has its reason"
    );
    assert!(shop.number("select count(*) from gold.recommendations") > 1_000);
    assert_eq!(
        shop.number("select count(*) from gold.recommendations where rank > 10 or item_id is null"),
        0
    );
}

#[test]
fn a_second_run_does_nothing_and_new_events_are_added() {
    let shop = Shop::new();
    shop.produce("1.json", 4_000, 1, 0.05);
    shop.ok(&["run"]);
    shop.assert_nothing_lost(4_000);

    let again = outcomes(&shop);
    assert!(
        again
            .iter()
            .all(|(_, result, written)| result == "up to date" && *written == 0),
        "{again:?}"
    );

    shop.produce("2.json.gz", 1_000, 2, 0.05);
    let more = outcomes(&shop);
    assert_eq!(more[0], ("bronze.clicks".to_owned(), "new rows".to_owned(), 1_000));
    shop.assert_nothing_lost(5_000);

    // A growing file.
    let file = shop.path("sample_data/1.json");
    let mut text = fs::read(&file).unwrap();
    let line = br#"{"timestamp":"2025-07-14T00:00:00Z","session_id":"sess_0","user_id":"user_0","item_id":"prod_1","event_type":"view"}"#;
    text.extend_from_slice(line);
    text.push(b'\n');
    fs::write(&file, text).unwrap();
    let one = outcomes(&shop);
    assert_eq!(one[0], ("bronze.clicks".to_owned(), "new rows".to_owned(), 1));
    shop.assert_nothing_lost(5_001);
}

#[test]
fn gold_is_what_a_rebuild_gives_however_events_arrive() {
    let shop = Shop::new();
    // Dirty traffic: late, repeated and sessionless events, in four deliveries that overlap in time.
    for (batch, seed) in [(1, 11), (2, 11), (3, 12), (4, 11)] {
        let all = format!("all-{seed}.json");
        if !shop.path(&all).exists() {
            let (out, seed) = (shop.path(&all).display().to_string(), seed.to_string());
            shop.ok(&[
                "produce", "--to", &out, "--events", "3000", "--seed", &seed, "--dirty", "0.3", "--items", "200",
            ]);
        }
        let lines = fs::read(shop.path(&all)).unwrap();
        let lines: Vec<&[u8]> = lines.split_inclusive(|byte| *byte == b'\n').collect();
        let part: Vec<u8> = lines
            .iter()
            .skip(batch - 1)
            .step_by(4)
            .flat_map(|line| line.to_vec())
            .collect();
        fs::write(shop.path(&format!("sample_data/{batch}.json")), part).unwrap();
        shop.ok(&["run"]);
    }
    shop.assert_nothing_lost(3_000);
    assert!(shop.number("select count(*) from silver.events where session_is_inferred") > 100);
    assert!(
        shop.number("select count(*) from silver.events where replaced_session_ids is not null") > 0,
        "borders moved"
    );
    let columns = "event_id, session_id, user_id, item_id, event_type, event_at, session_is_inferred";
    let silver = |shop: &Shop| {
        let mut rows = shop.rows(&format!("select {columns} from silver.events"));
        rows.sort();
        rows
    };
    // With the current model, the lists equal those of a rebuild.
    let lists = shop.table("gold.recommendations");
    shop.ok(&["run", "--full-refresh", "--select", "gold.recommendations"]);
    assert_eq!(lists, shop.table("gold.recommendations"));

    let (step_by_step, events) = (shop.tables(&GOLD), silver(&shop));
    shop.ok(&["run", "--full-refresh"]);
    assert_eq!(events, silver(&shop));
    for ((table, before), after) in GOLD.iter().zip(step_by_step).zip(shop.tables(&GOLD)) {
        assert_eq!(before, after, "{table}");
    }
}

#[test]
fn an_edited_weight_changes_the_recommendations() {
    let shop = Shop::new();
    shop.produce("1.json", 5_000, 5, 0.0);
    shop.ok(&["run"]);
    let before = shop.table("gold.recommendations");
    shop.edit(
        "sql/gold/session_items.sql",
        "when 'add_to_cart' then 3.0",
        "when 'add_to_cart' then 300.0",
    );
    let after = outcomes(&shop);
    let result = |step: &str| after.iter().find(|(name, ..)| name == step).unwrap().1.clone();
    assert_eq!(result("silver.events"), "up to date");
    assert_eq!(result("gold.session_items"), "rebuilt");
    assert_eq!(result("gold.recommendations"), "rebuilt");
    assert_ne!(before, shop.table("gold.recommendations"));
    // A comment does not count as a change.
    shop.edit(
        "sql/gold/session_items.sql",
        "-- Change the weights here",
        "-- Set the weights here",
    );
    assert!(outcomes(&shop).iter().all(|(_, result, _)| result == "up to date"));
}

#[test]
fn a_selection_runs_alone_and_with_what_follows() {
    let shop = Shop::new();
    shop.produce("1.json", 1_000, 5, 0.0);
    shop.ok(&["run", "--select", "bronze.clicks"]);
    assert!(!shop.path("lake/silver").exists());
    let summary = shop.ok(&["run", "--select", "silver.events+"]);
    assert!(
        summary.contains("gold.recommendations") && !summary.contains("bronze.clicks"),
        "{summary}"
    );
    let summary = shop.ok(&["run", "--select", "silver.events", "gold.als_factors+"]);
    assert!(
        summary.contains("silver.events") && !summary.contains("gold.sessions"),
        "{summary}"
    );
    let (code, error) = shop.fails(&["run", "--select", "silver.event"]);
    assert!(
        code == 2 && error.contains("there is no step `silver.event`"),
        "{error}"
    );
}

#[test]
fn a_lake_with_an_odd_name_and_partitions_merges_and_is_laid_out_anew() {
    let shop = Shop::new();
    shop.edit("pipelines.yaml", "lake: ./lake", "lake: ./my läke");
    shop.edit(
        "pipelines.yaml",
        "key: [event_id, event_date] }",
        "key: [event_id, event_date], partition_by: [event_date] }",
    );
    shop.produce("1.json", 2_000, 1, 0.1);
    shop.ok(&["run"]);
    shop.produce("2.json", 2_000, 2, 0.1);
    shop.ok(&["run"]);
    shop.assert_nothing_lost(4_000);
    assert!(shop.path("my läke/silver/events/event_date=2025-07-13").is_dir());
    let events = shop.table("silver.events");
    shop.edit("pipelines.yaml", ", partition_by: [event_date] }", " }");
    let rebuilt = outcomes(&shop);
    assert_eq!(
        (rebuilt[1].0.as_str(), rebuilt[1].1.as_str()),
        ("silver.events", "rebuilt")
    );
    shop.assert_nothing_lost(4_000);
    assert_eq!(events.len(), shop.table("silver.events").len());
    assert_eq!(
        shop.number("select count(*) from silver.events where event_date is null"),
        0
    );
}

#[test]
fn a_source_that_is_renamed_is_not_read_twice() {
    let shop = Shop::up_to_silver();
    shop.produce("1.json", 100, 1, 0.0);
    shop.ok(&["run"]);
    shop.edit("pipelines.yaml", "  clicks:\n    files", "  visits:\n    files");
    shop.edit("sql/bronze/clicks.sql", "changes('clicks')", "changes('visits')");
    let (code, error) = shop.fails(&["run"]);
    assert!(
        code == 1 && error.contains("was filled from source `clicks`"),
        "{error}"
    );
    shop.assert_nothing_lost(100);
}

#[test]
fn the_same_events_give_the_same_model() {
    let models: Vec<Vec<String>> = ["1", "2"]
        .iter()
        .map(|threads| {
            let shop = Shop::new();
            shop.produce("1.json", 2_000, 9, 0.0);
            shop.ok(&["run", "--threads", threads, "--select", "+gold.als_factors"]);
            let sql = "select id, kind, array_to_string(factors, ' ') from gold.als_factors order by kind, id";
            shop.rows(sql)
        })
        .collect();
    assert_eq!(models[0], models[1]);
}
