//! Records on which a step's SQL fails are quarantined one by one, while all others continue.

use std::fs;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::Shop;

const PROJECT: &str = "
lake: ./lake
sources: { clicks: { files: { path: sample_data } } }
pipelines:
  prices:
    steps:
      - { name: bronze.clicks, sql: sql/bronze/clicks.sql, mode: append }
      - { name: silver.prices, sql: sql/silver/prices.sql, mode: merge, key: [id] }
      - { name: gold.total, sql: sql/gold/total.sql, mode: overwrite }
";
const PRICES: &str = "
select v['id'] as id, cast(v['price'] as bigint) as price
from (select from_json(value, 'id string, price string') as v from changes('bronze.clicks'))
";

/// A shop whose Silver layer converts a price in a way that fails on anything but numbers.
fn shop() -> Shop {
    let shop = Shop::new();
    fs::write(shop.path("pipelines.yaml"), PROJECT).unwrap();
    fs::write(shop.path("sql/silver/prices.sql"), PRICES).unwrap();
    fs::write(
        shop.path("sql/gold/total.sql"),
        "select sum(price) as total, count(*) as n from silver.prices",
    )
    .unwrap();
    shop
}

fn write(shop: &Shop, file: &str, prices: &[String]) {
    let rows = prices.iter().enumerate();
    let lines = rows.map(|(row, price)| format!("{{\"id\":\"{file}-{row}\",\"price\":\"{price}\"}}\n"));
    fs::write(
        shop.path(&format!("sample_data/{file}.json")),
        lines.collect::<String>(),
    )
    .unwrap();
}

fn numbers(rows: usize, bad: &[(usize, &str)]) -> Vec<String> {
    let mut prices: Vec<String> = (0..rows).map(|row| row.to_string()).collect();
    for (row, price) in bad {
        prices[*row] = (*price).to_owned();
    }
    prices
}

#[test]
fn a_record_that_the_sql_fails_on_is_put_aside_and_all_others_are_committed() {
    let shop = shop();
    write(
        &shop,
        "a",
        &numbers(300, &[(0, "-"), (150, "12,50"), (299, "99999999999999999999")]),
    );
    let output = shop.run(&["run"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{told}");
    assert!(
        told.contains("the SQL fails on 3 of 300 rows of `bronze.clicks`"),
        "{told}"
    );
    assert_eq!(shop.number("select count(*) from silver.prices"), 297);
    assert_eq!(shop.number("select n from gold.total"), 297);
    let aside = shop.rows("select step, input, row_key from system.quarantine order by row_key");
    assert_eq!(aside.len(), 3, "{aside:?}");
    assert!(
        aside[0].contains("silver.prices,bronze.clicks,") && aside[0].contains("a.json"),
        "{aside:?}"
    );
    let errors = shop
        .rows("select error from system.quarantine where row like '%12,50%'")
        .concat();
    for told in ["sql/silver/prices.sql", "12,50", "CAST("] {
        assert!(errors.contains(told), "{told}: {errors}");
    }
    let listed = shop.ok(&["quarantine", "--json"]);
    assert!(
        listed.contains("silver.prices: its SQL fails on records of bronze.clicks"),
        "{listed}"
    );
    assert!(shop.ok(&["quarantine", "show", "--json"]).contains("12,50"));

    // Nothing is read twice, and later records pass.
    assert!(shop.run_steps().iter().all(|step| step["result"] == "up to date"));
    write(&shop, "b", &numbers(10, &[]));
    shop.ok(&["run"]);
    assert_eq!(shop.number("select count(*) from silver.prices"), 307);
    assert_eq!(shop.number("select count(*) from system.quarantine"), 3);

    // With corrected SQL, everything is accepted.
    shop.edit("sql/silver/prices.sql", "cast(v", "try_cast(v");
    shop.ok(&["run"]);
    assert_eq!(shop.number("select count(*) from silver.prices"), 310);
    assert_eq!(shop.number("select count(*) from silver.prices where price is null"), 3);
    assert_eq!(shop.number("select count(*) from system.quarantine"), 0);
}

#[test]
fn a_single_record_can_be_the_whole_batch() {
    let shop = shop();
    write(&shop, "a", &numbers(1, &[(0, "?")]));
    shop.ok(&["run"]);
    assert_eq!(shop.number("select count(*) from silver.prices"), 0);
    assert_eq!(shop.number("select count(*) from system.quarantine"), 1);
}

#[test]
fn sql_that_fails_on_everything_is_an_error_of_the_step() {
    let shop = shop();
    write(&shop, "a", &vec!["none".to_owned(); 500]);
    let (code, error) = shop.fails(&["run"]);
    assert_eq!(code, 1);
    for told in [
        "the SQL of `silver.prices` fails on 20 of the first 20 rows",
        "sql/silver/prices.sql",
        "none",
    ] {
        assert!(error.contains(told), "{told}: {error}");
    }
    assert_eq!(shop.number("select count(*) from bronze.clicks"), 500);
    assert_eq!(shop.number("select count(*) from silver.prices"), 0);
}

#[test]
fn an_error_that_no_single_record_causes_stays_an_error() {
    let shop = shop();
    fs::write(
        shop.path("sql/gold/total.sql"),
        "select 1 / (count(*) - 4) as n from silver.prices",
    )
    .unwrap();
    write(&shop, "a", &numbers(4, &[]));
    let (code, error) = shop.fails(&["run"]);
    assert!(code == 1 && error.to_lowercase().contains("divide by zero"), "{error}");
    assert_eq!(shop.number("select count(*) from silver.prices"), 4);
}

#[test]
fn a_row_of_a_table_that_is_read_as_a_whole_is_left_out_too() {
    let shop = shop();
    fs::write(
        shop.path("sql/silver/prices.sql"),
        PRICES.replace("cast(v['price'] as bigint)", "v['price']"),
    )
    .unwrap();
    fs::write(
        shop.path("sql/gold/total.sql"),
        "select sum(cast(price as bigint)) as total, count(*) as n from silver.prices",
    )
    .unwrap();
    write(&shop, "a", &numbers(20, &[(7, "x")]));
    shop.ok(&["run"]);
    assert_eq!(
        shop.rows("select total, n from gold.total"),
        [format!("{},19", (0..20).sum::<i64>() - 7)]
    );
    let aside = shop.rows("select step, input from system.quarantine");
    assert_eq!(aside, ["gold.total,silver.prices"]);
}

#[test]
fn killed_at_any_commit_each_record_is_in_one_place_after_the_next_run() {
    for commit in 0..4 {
        let shop = shop();
        write(&shop, "a", &numbers(50, &[(20, "x"), (21, "y")]));
        let failpoints = format!("before_commit={commit}*off->return");
        let killed = shop.command(&["run"]).env("FAILPOINTS", failpoints).output().unwrap();
        assert!(!killed.status.success(), "commit {commit}");
        shop.ok(&["run"]);
        assert_eq!(shop.number("select count(*) from silver.prices"), 48, "commit {commit}");
        assert_eq!(
            shop.number("select count(*) from system.quarantine"),
            2,
            "commit {commit}"
        );
    }
}

#[test]
fn replay_takes_up_records_that_the_sql_failed_on() {
    let shop = Shop::up_to_silver();
    let good = "nullif(trim(click['item_id']), '') as item_id";
    let failing = "substr(nullif(trim(click['item_id']), ''), cast(case when click['item_id'] = 'odd' then click['item_id'] \
                   else '1' end as bigint)) as item_id";
    shop.edit("sql/silver/clicks.sql", good, failing);
    let event = |item: &str, second: usize| {
        format!(
            "{{\"timestamp\":\"2026-03-01T10:00:{second:02}Z\",\"session_id\":\"s1\",\"item_id\":\"{item}\",\
             \"event_type\":\"view\"}}\n"
        )
    };
    let lines: String = (0..30)
        .map(|second| event(if second % 10 == 3 { "odd" } else { "a" }, second))
        .collect();
    fs::write(shop.path("sample_data/a.json"), lines).unwrap();
    shop.ok(&["run"]);
    assert_eq!(shop.number("select count(*) from silver.events"), 27);
    let records = "select count(distinct row_key) from system.quarantine where error is not null";
    assert_eq!(shop.number(records), 3);
    shop.edit("sql/silver/clicks.sql", failing, good);
    shop.ok(&["quarantine", "replay"]);
    assert_eq!(shop.number(records), 0);
    shop.assert_nothing_lost(30);
    assert_eq!(
        shop.number("select count(*) from silver.events where item_id = 'odd'"),
        3
    );
}

#[test]
fn random_batches_lose_and_double_nothing() {
    let prices = prop::collection::vec(prop_oneof![8 => "[0-9]{1,6}", 1 => "[a-z,.]{0,4}"], 1..60);
    let batches = prop::collection::vec(prices, 1..4);
    let config = Config {
        cases: 6,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(&batches, |batches| {
            let shop = shop();
            let (mut good, mut bad) = (0, 0);
            for (number, prices) in batches.iter().enumerate() {
                write(&shop, &format!("batch{number}"), prices);
                shop.ok(&["run"]);
                let fine = prices
                    .iter()
                    .filter(|price| price.trim().parse::<i64>().is_ok())
                    .count();
                (good, bad) = (good + fine, bad + prices.len() - fine);
                let count = "select count(*) from silver.prices";
                let rows = match bad {
                    0 => [shop.number(count), 0],
                    _ => shop.numbers([count, "select count(*) from system.quarantine"]),
                };
                prop_assert_eq!(rows, [good as i64, bad as i64]);
            }
            Ok(())
        })
        .unwrap();
}
