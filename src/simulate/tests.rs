#![allow(clippy::unwrap_used)]

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::*;

fn simulate(events: u64, dirty: f64, seed: u64) -> (Vec<Record>, Tally) {
    let mut simulation = Simulation::new(SimulationConfig {
        events,
        dirty,
        seed,
        ..SimulationConfig::default()
    });
    let records = simulation.by_ref().collect();
    (records, simulation.tally())
}

fn parsed(records: &[Record]) -> Vec<Value> {
    records
        .iter()
        .filter_map(|record| serde_json::from_slice(&record.value).ok())
        .collect()
}

#[test]
fn a_seed_gives_the_same_bytes_and_another_gives_others() {
    assert_eq!(simulate(2_000, 0.1, 1), simulate(2_000, 0.1, 1));
    assert_ne!(simulate(2_000, 0.1, 1).0, simulate(2_000, 0.1, 2).0);
}

#[test]
fn a_record_looks_like_the_documented_one() {
    let (records, _) = simulate(1, 0.0, 42);
    let text = String::from_utf8(records[0].value.clone()).unwrap();
    assert!(text.starts_with(r#"{"timestamp":"2025-07-13T"#), "{text}");
    let fields: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(fields["session_id"], "sess_0");
    assert_eq!(records[0].key, b"sess_0");
    assert_eq!(fields["event_type"], "view");
}

#[test]
fn every_record_is_accounted_for() {
    let (records, tally) = simulate(20_000, 0.2, 7);
    assert_eq!(records.len(), 20_000);
    assert_eq!(tally.valid + tally.duplicates + tally.broken, 20_000);
    assert!(
        tally.late > 100 && tally.sessionless > 100 && tally.duplicates > 100 && tally.broken > 100,
        "{tally:?}"
    );
    let distinct: HashSet<&[u8]> = records.iter().map(|record| record.value.as_slice()).collect();
    // Empty objects repeat each other as well.
    assert!(distinct.len() as u64 <= tally.valid + tally.broken);
    let sessionless = parsed(&records)
        .into_iter()
        .filter(|click| click.get("session_id").is_none() && click.get("user_id").is_some());
    assert_eq!(sessionless.count() as u64, tally.sessionless);
}

#[test]
fn clean_traffic_is_in_order_and_never_repeats_itself() {
    let (records, _) = simulate(20_000, 0.0, 3);
    let clicks = parsed(&records);
    assert_eq!(clicks.len(), 20_000);
    assert!(
        clicks
            .windows(2)
            .all(|pair| pair[0]["timestamp"].as_str() <= pair[1]["timestamp"].as_str())
    );
    let distinct: HashSet<&[u8]> = records.iter().map(|record| record.value.as_slice()).collect();
    assert_eq!(distinct.len(), 20_000);
}

#[test]
fn purchases_follow_a_cart_of_the_same_item_in_the_session() {
    let (records, _) = simulate(20_000, 0.0, 4);
    let mut carts = HashSet::new();
    let mut kinds = HashMap::<String, u64>::new();
    for click in parsed(&records) {
        let key = (click["session_id"].to_string(), click["item_id"].to_string());
        let kind = click["event_type"].as_str().unwrap().to_owned();
        match kind.as_str() {
            "add_to_cart" => _ = carts.insert(key),
            "purchase" => assert!(carts.contains(&key), "{click}"),
            _ => {}
        }
        *kinds.entry(kind).or_default() += 1;
    }
    assert!(
        kinds["view"] > 5 * kinds["add_to_cart"] && kinds["add_to_cart"] > 2 * kinds["purchase"],
        "{kinds:?}"
    );
}

#[test]
fn sessions_stay_in_their_categories_and_few_items_are_popular() {
    let config = SimulationConfig {
        events: 50_000,
        ..SimulationConfig::default()
    };
    let catalog = Catalog::new(&config);
    let mut sessions = HashMap::<String, Vec<u32>>::new();
    let mut items = HashMap::<String, u64>::new();
    for click in parsed(&Simulation::new(config).collect::<Vec<_>>()) {
        let item = click["item_id"].as_str().unwrap();
        sessions
            .entry(click["session_id"].to_string())
            .or_default()
            .push(catalog.category_of(item).unwrap());
        *items.entry(item.to_owned()).or_default() += 1;
    }
    let (mut home, mut all) = (0, 0);
    for categories in sessions.values() {
        let mut counts = HashMap::<u32, usize>::new();
        categories
            .iter()
            .for_each(|category| *counts.entry(*category).or_default() += 1);
        let mut counts: Vec<usize> = counts.into_values().collect();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        home += counts.iter().take(2).sum::<usize>();
        all += categories.len();
    }
    assert!(home as f64 > 0.85 * all as f64, "{home} of {all}");
    let mut counts: Vec<u64> = items.into_values().collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let top = counts.iter().take(counts.len() / 10).sum::<u64>();
    assert!(
        top as f64 > 0.25 * 50_000.0,
        "the top tenth of the items has {top} clicks"
    );
}

#[test]
fn tiny_shops_work() {
    for (items, categories) in [(1, 1), (1, 20), (3, 2)] {
        let config = SimulationConfig {
            events: 100,
            items,
            categories,
            dirty: 0.5,
            ..SimulationConfig::default()
        };
        assert_eq!(Simulation::new(config).count(), 100);
    }
}

#[test]
fn the_catalog_of_the_sample_data_is_that_of_its_shop() {
    let config = SimulationConfig {
        items: 500,
        ..SimulationConfig::default()
    };
    let mut csv = vec![];
    Catalog::new(&config).write_csv(&mut csv).unwrap();
    let csv = String::from_utf8(csv).unwrap();
    assert_eq!(csv, include_str!("../../sample_data/_catalog/items.csv"));
    let clicked = parsed(&Simulation::new(config).collect::<Vec<_>>());
    let listed: HashSet<&str> = csv.lines().filter_map(|row| row.split(',').next()).collect();
    assert!(
        clicked
            .iter()
            .all(|click| listed.contains(click["item_id"].as_str().unwrap()))
    );
    let titles: HashSet<&str> = csv.lines().skip(1).filter_map(|row| row.split(',').nth(1)).collect();
    assert_eq!(titles.len(), 500, "each item has a title of its own");
}
