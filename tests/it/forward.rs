//! Changed SQL that holds from now on (`on_change: forward`, `--forward`), and the small shop in which that is tried.
//! Older rows that are computed again: `tests/it/backfill.rs`.

use std::fmt::Write as _;
use std::fs;
use std::sync::OnceLock;

use serde_json::Value;

use crate::foreign_acts::{Act::Restore, act};
use crate::prices::{Prices, SILVER, did};
use crate::saved::Saved;
use crate::support::Shop;

const PROJECT: &str = "\
lake: ./lake
sources: { clicks: { files: { path: data, format: ndjson } } }
pipelines:
  shop:
    trigger: 200ms
    steps:
      - { name: bronze.clicks, sql: bronze.sql, mode: append }
      - { name: silver.events, sql: silver.sql, mode: append }
      - { name: gold.items, sql: gold.sql, mode: merge, key: [item] }
      - { name: gold.total, sql: total.sql, mode: overwrite }
";

const BRONZE: &str = "select topic, partition, \"offset\", value from changes('clicks')";

const SILVER_EVENTS: &str = "\
select click['item'] as item, cast(click['day'] as date) as day, cast(click['amount'] as bigint) as amount
from (select from_json(value, 'item string, day string, amount string') as click from changes('bronze.clicks'))
";

const GOLD: &str = "\
with touched as (select distinct item from changes('silver.events'))
select touched.item, sum(events.amount) as amount
from touched inner join silver.events as events on touched.item = events.item
group by touched.item
";

/// With a further column.
pub const WITH_COUNT: (&str, &str) = ("as amount\n", "as amount, count(*) as events\n");

/// Items of four days: a, b and c of one each, d of two.
const OLD: [(&str, &str, u32); 5] = [
    ("a", "2025-07-10", 1),
    ("b", "2025-07-11", 2),
    ("c", "2025-07-12", 3),
    ("d", "2025-07-11", 4),
    ("d", "2025-07-13", 5),
];

pub const ITEMS: &str = "select item, amount, events from gold.items order by item";
pub const KEPT: [&str; 4] = ["a,1,", "b,2,", "c,3,", "d,9,"];
pub const COMPUTED: [&str; 4] = ["a,1,1", "b,2,1", "c,3,1", "d,9,2"];

pub fn deliver(shop: &Shop, file: &str, events: &[(&str, &str, u32)]) {
    let mut text = String::new();
    for (item, day, amount) in events {
        writeln!(text, r#"{{"item":"{item}","day":"{day}","amount":"{amount}"}}"#).unwrap();
    }
    fs::write(shop.path("data").join(file), text).unwrap();
}

/// After a run over the old events.
pub fn shop() -> Shop {
    static RUN: OnceLock<Saved> = OnceLock::new();
    Shop::once(&RUN, || {
        let shop = Shop::in_an_empty_folder();
        fs::create_dir(shop.path("data")).unwrap();
        for (file, text) in [
            ("pipelines.yaml", PROJECT),
            ("bronze.sql", BRONZE),
            ("silver.sql", SILVER_EVENTS),
            ("gold.sql", GOLD),
            ("total.sql", "select count(*) as items from gold.items"),
        ] {
            fs::write(shop.path(file), text).unwrap();
        }
        deliver(&shop, "1.json", &OLD);
        shop.ok(&["run"]);
        shop
    })
}

/// What a command says about a step, as JSON lines.
pub fn result(shop: &Shop, args: &[&str], step: &str) -> Vec<String> {
    let lines = shop.ok(&[args, &["--json"]].concat());
    let events = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let of_step = events.filter(|event| event["step"] == step);
    of_step
        .map(|event| event["result"].as_str().unwrap().to_owned())
        .collect()
}

pub fn history(shop: &Shop) -> Vec<Value> {
    serde_json::from_str(&shop.ok(&["history", "gold.items", "--json"])).unwrap()
}

fn position(shop: &Shop, id: &str) -> Option<i64> {
    history(shop)[0]["positions"][id].as_i64()
}

/// The rows are those of a rebuild, and the table says so.
pub fn assert_all_are_computed(shop: &Shop) {
    assert_eq!(position(shop, "clickrec/since"), Some(0));
    let rows = shop.rows(ITEMS);
    shop.ok(&["run", "--full-refresh", "--select", "gold.items"]);
    assert_eq!(rows, shop.rows(ITEMS));
}

#[test]
fn a_new_column_is_null_in_older_rows_and_later_runs_rebuild_nothing() {
    let shop = shop();
    shop.edit("gold.sql", WITH_COUNT.0, WITH_COUNT.1);
    assert_eq!(
        result(&shop, &["run", "--forward", "gold.items"], "gold.items"),
        ["forward"]
    );
    assert_eq!(shop.rows(ITEMS), KEPT);
    assert_eq!(result(&shop, &["run"], "gold.items"), ["up to date"]);

    deliver(&shop, "2.json", &[("a", "2025-07-14", 10)]);
    assert_eq!(result(&shop, &["run"], "gold.items"), ["new rows"]);
    assert_eq!(shop.rows(ITEMS), ["a,11,2", KEPT[1], KEPT[2], KEPT[3]]);

    let logic: Vec<Option<String>> = history(&shop)
        .iter()
        .map(|commit| commit["logic"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(logic, [None, Some("forward".to_owned()), None]);
    let told = shop.ok(&["history", "gold.items"]);
    assert!(
        told.contains("are of the current SQL of `gold.items`; older rows are as they were\n"),
        "{told}"
    );
    assert!(position(&shop, "clickrec/since") > Some(0));
    let status = "select status, reason from system.runs where step = 'gold.items' and status = 'forward'";
    assert_eq!(
        shop.rows(status),
        ["forward,its SQL or a variable in it has changed; older rows stay as they are"]
    );
    // A rebuild ends it.
    shop.ok(&["run", "--full-refresh", "--select", "gold.items"]);
    assert_all_are_computed(&shop);
    assert!(!shop.ok(&["history", "gold.items"]).contains("older rows"));
}

#[test]
fn a_setting_goes_forward_at_every_change() {
    let shop = shop();
    shop.edit("pipelines.yaml", "key: [item] }", "key: [item], on_change: forward }");
    shop.edit("gold.sql", WITH_COUNT.0, WITH_COUNT.1);
    deliver(&shop, "2.json", &[("b", "2025-07-14", 10)]);
    assert_eq!(result(&shop, &["run"], "gold.items"), ["forward"]);
    assert_eq!(shop.rows(ITEMS), [KEPT[0], "b,12,2", KEPT[2], KEPT[3]]);
    shop.edit("gold.sql", "sum(events.amount)", "2 * sum(events.amount)");
    deliver(&shop, "3.json", &[("c", "2025-07-14", 10)]);
    assert_eq!(result(&shop, &["run"], "gold.items"), ["forward"]);
    assert_eq!(shop.rows(ITEMS), [KEPT[0], "b,12,2", "c,26,2", KEPT[3]]);
    // Without the setting, and without a change, nothing is rebuilt.
    shop.edit("pipelines.yaml", ", on_change: forward", "");
    assert_eq!(result(&shop, &["run"], "gold.items"), ["up to date"]);
}

#[test]
fn what_older_rows_would_contradict_is_refused_by_plan_and_run_alike() {
    let cases: [(&str, &str, &str, &str); 5] = [
        (
            "gold.sql",
            ", sum(events.amount) as amount",
            "",
            "column `amount` of the table is missing from the result",
        ),
        (
            "gold.sql",
            "sum(events.amount)",
            "cast(sum(events.amount) as double)",
            "column `amount` has type",
        ),
        (
            "pipelines.yaml",
            "key: [item], on",
            "key: [item, amount], on",
            "its mode, `key` or `partition_by` has changed",
        ),
        (
            "pipelines.yaml",
            "mode: merge, key: [item], on",
            "mode: append, on",
            "its mode, `key` or `partition_by` has changed",
        ),
        (
            "pipelines.yaml",
            "key: [item], on",
            "key: [item], partition_by: [item], on",
            "its mode, `key` or `partition_by` has changed",
        ),
    ];
    for (file, from, to, expected) in cases {
        let shop = shop();
        shop.edit("pipelines.yaml", "key: [item] }", "key: [item], on_change: forward }");
        shop.edit(file, from, to);
        let before = history(&shop).len();
        for command in ["plan", "run"] {
            let (code, error) = shop.fails(&[command, "--quiet"]);
            assert_eq!(code, 1, "{command}: {error}");
            assert!(error.contains(expected), "{command}: {error}");
            assert!(
                error.contains("clickrec run --full-refresh --select gold.items+"),
                "{command}: {error}"
            );
        }
        assert_eq!(history(&shop).len(), before, "{to}: nothing was committed");
        // The way out.
        shop.ok(&["run", "--full-refresh", "--select", "gold.items+"]);
        assert_eq!(result(&shop, &["run"], "gold.items"), ["up to date"]);
    }
}

#[test]
fn a_step_without_older_rows_cannot_go_forward() {
    let shop = shop();
    let (_, error) = shop.fails(&["run", "--forward", "gold.total"]);
    assert!(error.contains("`mode: overwrite` keeps no older rows"), "{error}");
    let (code, error) = shop.fails(&["run", "--forward", "gold.item"]);
    assert!(code == 2 && error.contains("there is no step `gold.item`"), "{error}");
    for (step, setting, expected) in [
        (
            "sql: total.sql, mode: overwrite",
            "forward",
            "a step with `mode: overwrite` cannot have `on_change`",
        ),
        (
            "sql: silver.sql, mode: append",
            "backfill",
            "`mode: append` would add its older rows once more",
        ),
        (
            "sql: gold.sql, mode: merge, key: [item]",
            "forwards",
            "did you mean `forward`?",
        ),
    ] {
        let project = format!("{step}, on_change: {setting}");
        shop.edit("pipelines.yaml", step, &project);
        for command in ["plan", "run"] {
            let (code, error) = shop.fails(&[command]);
            assert!(code == 2 && error.contains(expected), "{command}: {error}");
        }
        shop.edit("pipelines.yaml", &project, step);
    }
}

#[test]
fn a_step_that_does_not_run_cannot_go_forward() {
    let shop = shop();
    shop.edit("gold.sql", WITH_COUNT.0, WITH_COUNT.1);
    for selection in [["--select", "silver.*"], ["--exclude", "gold.items"]] {
        for follow in [&[] as &[&str], &["--follow", "--once"]] {
            let args = [&["run", "--forward", "gold.items"][..], &selection, follow].concat();
            let (code, error) = shop.fails(&args);
            assert!(
                code == 2 && error.contains("`gold.items` cannot go forward: it does not run"),
                "{args:?}: {error}"
            );
        }
    }
    let selected = ["run", "--forward", "gold.items", "--select", "gold.*"];
    assert_eq!(result(&shop, &selected, "gold.items"), ["forward"]);
}

#[test]
fn plan_foresees_that_a_rebuilt_input_leaves_no_older_rows() {
    let shop = shop();
    shop.edit("silver.sql", "'amount'] as bigint)", "'amount'] as bigint) + 1");
    shop.edit("gold.sql", WITH_COUNT.0, WITH_COUNT.1);
    let plan = shop.ok(&["plan"]);
    assert!(
        plan.contains("build: its SQL or a variable in it has changed"),
        "{plan}"
    );
    let refused = "forward  refused: `silver.events` is rebuilt; let it go forward, too";
    assert!(plan.contains(refused), "{plan}");
    shop.edit("pipelines.yaml", "key: [item] }", "key: [item], on_change: forward }");
    let plan = shop.ok(&["plan"]);
    assert!(
        plan.contains("build: `silver.events` is rebuilt") && !plan.contains("go forward:"),
        "{plan}"
    );
    assert_eq!(result(&shop, &["run"], "gold.items"), ["rebuilt"]);
    // If the input goes forward, too, older rows stay.
    shop.edit("silver.sql", "+ 1", "+ 2");
    shop.edit("gold.sql", "count(*)", "2 * count(*)");
    assert_eq!(
        result(&shop, &["run", "--forward", "silver.events"], "gold.items"),
        ["forward"]
    );
}

#[test]
fn plan_says_what_each_way_costs() {
    let shop = shop();
    shop.edit("gold.sql", WITH_COUNT.0, WITH_COUNT.1);
    let plan: Vec<Value> = serde_json::from_str(&shop.ok(&["plan", "--json"])).unwrap();
    let items = plan.iter().find(|row| row["step"] == "gold.items").unwrap();
    let ways = items["ways"].as_array().unwrap();
    let rows: Vec<(&str, Option<u64>)> = ways
        .iter()
        .map(|way| (way["way"].as_str().unwrap(), way["rows"].as_u64()))
        .collect();
    // All of `silver.events`, nothing of it, and day by day all of it again.
    assert_eq!(
        rows,
        [("rebuild", Some(5)), ("forward", Some(0)), ("backfill", Some(5))]
    );
    assert!(ways.iter().all(|way| way["seconds"].as_f64().is_some()), "{ways:?}");
    let text = shop.ok(&["plan"]);
    assert!(
        text.contains("forward  0 rows, less than 0.1 s: clickrec run --forward gold.items"),
        "{text}"
    );

    // Removing a column is possible in one way only.
    shop.edit("gold.sql", "sum(events.amount) as amount, ", "");
    let text = shop.ok(&["plan"]);
    assert!(
        text.contains("build: its SQL or a variable in it has changed") && text.contains("rebuild  5 rows"),
        "{text}"
    );
    assert!(
        text.contains("forward  refused: ") && text.contains("backfill refused: "),
        "{text}"
    );
}

#[test]
fn a_column_of_its_own_earlier_rows_may_be_new() {
    let shop = shop();
    let sql = "select item, amount, cast(null as bigint) as seen from changes('silver.events') union all \
               select item, amount, seen from previous('item string, amount bigint, seen bigint')";
    fs::write(shop.path("gold.sql"), sql).unwrap();
    shop.ok(&["run", "--forward", "gold.items"]);
    assert_eq!(shop.number("select count(*) from gold.items where seen is null"), 4);
    let plan = shop.ok(&["plan"]);
    assert!(plan.contains("0 steps have work to do"), "{plan}");
}

#[test]
fn a_table_that_was_restored_goes_forward_again() {
    let prices = Prices::new("mode: merge, key: [item_id], on_change: forward", "");
    prices.produce("1.json", &[("a", "1", false)]);
    prices.run().unwrap();
    prices.produce("2.json", &[("b", "2", false)]);
    prices.run().unwrap();
    prices.write(
        "silver.sql",
        &SILVER.replace(", line from (select", ", line, 7 as factor from (select"),
    );
    prices.produce("3.json", &[("c", "3", false)]);
    assert_eq!(did(&prices.run().unwrap(), "silver.prices"), "forward");
    let rows = || prices.rows("select item_id, factor from silver.prices");
    assert_eq!(rows(), ["a,-", "b,-", "c,7"]);

    // To the version before: what was read with the new SQL is read again, with it.
    prices.other("silver.prices", |table| act(table, Restore(1)));
    assert_eq!(did(&prices.run().unwrap(), "silver.prices"), "forward");
    assert_eq!(rows(), ["a,-", "b,-", "c,7"]);
    prices.other("silver.prices", |table| act(table, Restore(0)));
    assert_eq!(did(&prices.run().unwrap(), "silver.prices"), "forward");
    assert_eq!(rows(), ["a,-", "b,7", "c,7"]);
    // To the version after: nothing is missing.
    prices.other("silver.prices", |table| act(table, Restore(2)));
    assert_eq!(did(&prices.run().unwrap(), "silver.prices"), "nothing");
    assert_eq!(rows(), ["a,-", "b,-", "c,7"]);
    assert_eq!(prices.number("select items from gold.total"), 3);
}
