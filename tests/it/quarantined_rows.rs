//! Rows that expectations quarantine: only those, exactly once, and never mixed with others.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::prices::{Prices, did};

pub const POSITIVE: &str = "{ range: { price: { min: 0 } }, severity: quarantine, name: positive }";
pub const TABLE: &str = "select item_id, price from silver.prices";
const ASIDE: &str = "select row from system.quarantine";

pub fn merged(expect: &str) -> Prices {
    Prices::new(&format!("mode: merge, key: [item_id], expect: [{expect}]"), "")
}

fn produce(prices: &Prices, file: &str, rows: &[(String, String, bool)]) {
    let rows: Vec<_> = rows
        .iter()
        .map(|(item, price, gone)| (&item[..], &price[..], *gone))
        .collect();
    prices.produce(file, &rows);
}

/// How many rows with this price are in quarantine.
pub fn aside(prices: &Prices, price: &str) -> usize {
    let found = format!("\"price\":{price},");
    prices.rows(ASIDE).iter().filter(|row| row.contains(&found)).count()
}

#[test]
fn a_rejected_row_of_a_merge_takes_no_others_with_it() {
    let prices = merged(POSITIVE);
    prices.produce("1.json", &[("p1", "10", false), ("p2", "20", false)]);
    prices.run().unwrap();
    prices.produce(
        "2.json",
        &[("p2", "21", false), ("p2", "-1", false), ("p3", "3", false)],
    );
    let outcomes = prices.run().unwrap();
    assert_eq!(prices.rows(TABLE), ["p1,10.0", "p2,21.0", "p3,3.0"]);
    assert_eq!(aside(&prices, "-1.0"), 1);
    let silver = outcomes.iter().find(|outcome| outcome.step.table == "prices").unwrap();
    assert_eq!((silver.written, silver.checked[0].rows), (2, 1));

    // If all new rows of a key are rejected, the old ones remain; two rows of one key are both quarantined.
    prices.produce(
        "3.json",
        &[("p1", "-1", false), ("p3", "-2", false), ("p3", "-3", false)],
    );
    prices.run().unwrap();
    assert_eq!(prices.rows(TABLE), ["p1,10.0", "p2,21.0", "p3,3.0"]);
    assert_eq!(["-1.0", "-2.0", "-3.0"].map(|price| aside(&prices, price)), [2, 1, 1]);

    // Rejected again, they are stored only once.
    prices.full_refresh("silver.prices").unwrap();
    assert_eq!(prices.number("select count(*) from system.quarantine"), 4);
    assert_eq!(prices.rows(TABLE), ["p1,10.0", "p2,20.0", "p2,21.0", "p3,3.0"]);
}

#[test]
fn rows_that_only_delete_still_delete_where_the_new_row_of_their_key_is_rejected() {
    let prices = Prices::new(
        &format!("mode: merge, key: [item_id], delete: gone, expect: [{POSITIVE}]"),
        "",
    );
    prices.produce("1.json", &[("p1", "1", false), ("p2", "2", false), ("p3", "3", false)]);
    prices.run().unwrap();
    let more = [
        ("p1", "0", true),
        ("p1", "-1", false),
        ("p2", "-2", false),
        ("p3", "0", true),
        ("p3", "4", false),
    ];
    prices.produce("2.json", &more);
    prices.run().unwrap();
    assert_eq!(prices.rows(TABLE), ["p2,2.0", "p3,4.0"]);
    assert_eq!(prices.number("select count(*) from system.quarantine"), 2);
}

#[test]
fn in_every_mode_rows_are_told_apart_by_all_of_their_columns() {
    for settings in [
        "mode: append",
        "mode: overwrite",
        "mode: append, partition_by: [item_id]",
        "mode: merge, key: [item_id], partition_by: [item_id]",
        "mode: merge, key: [item_id, price]",
    ] {
        let prices = Prices::new(&format!("{settings}, expect: [{POSITIVE}]"), "");
        if settings == "mode: overwrite" {
            let sql = std::fs::read_to_string(prices.path("silver.sql")).unwrap();
            prices.write("silver.sql", &sql.replace("changes('bronze.clicks')", "bronze.clicks"));
        }
        let rows = [
            ("p1", "1", false),
            ("p1", "-1", false),
            ("p1", "NaN", false),
            ("p1", "-0", false),
            ("p2", "-2", false),
        ];
        prices.produce("1.json", &rows);
        prices.run().unwrap();
        assert_eq!(prices.rows(TABLE), ["p1,-0.0", "p1,1.0", "p1,NaN"], "{settings}");
        assert_eq!(prices.number("select count(*) from system.quarantine"), 2, "{settings}");
    }
}

#[test]
fn a_query_of_the_key_alone_puts_all_new_rows_of_the_key_aside_as_whole_rows() {
    let prices = merged("{ sql: twice.sql, severity: quarantine }");
    prices.write(
        "twice.sql",
        "select item_id from silver.prices group by item_id having count(*) > 1",
    );
    prices.produce("1.json", &[("p1", "1", false), ("p2", "2", false)]);
    prices.run().unwrap();
    prices.produce("2.json", &[("p1", "3", false), ("p1", "4", false), ("p2", "5", false)]);
    prices.run().unwrap();
    assert_eq!(prices.rows(TABLE), ["p1,1.0", "p2,5.0"]);
    assert_eq!((aside(&prices, "3.0"), aside(&prices, "4.0")), (1, 1));

    // Rows without the table's columns cannot be identified: an error, and nothing is lost.
    prices.write(
        "twice.sql",
        "select item_id, price * 2 as price from silver.prices where price > 5",
    );
    prices.produce("3.json", &[("p1", "6", false)]);
    let error = prices.run().unwrap_err();
    assert!(
        error.contains("twice.sql") && error.contains("only such rows can be quarantined; nothing was written"),
        "{error}"
    );
    assert_eq!(prices.rows(TABLE), ["p1,1.0", "p2,5.0"]);
}

#[test]
fn several_expectations_put_aside_each_what_the_others_left_and_nothing_where_one_fails() {
    let even = "{ sql: even.sql, severity: quarantine }";
    let prices = merged(&format!("{POSITIVE}, {even}, {{ sql: high.sql }}"));
    prices.write("even.sql", "select * from silver.prices where price % 2 = 0");
    prices.write("high.sql", "select item_id from silver.prices where price > 100");
    prices.produce(
        "1.json",
        &[
            ("p1", "1", false),
            ("p1", "-2", false),
            ("p2", "2", false),
            ("p3", "101", false),
        ],
    );
    let error = prices.run().unwrap_err();
    assert!(error.contains("violates `high.sql`; nothing was written"), "{error}");
    assert!(
        !prices.path("lake/system/quarantine").exists(),
        "nothing is aside of what was not committed"
    );
    prices.write("high.sql", "select item_id from silver.prices where price > 200");
    prices.run().unwrap();
    assert_eq!(prices.rows(TABLE), ["p1,1.0", "p3,101.0"]);
    let by = prices.rows("select expectation, count(*) from system.quarantine group by 1");
    assert_eq!(by, ["even.sql,1", "positive,1"]);
}

#[test]
fn rows_without_a_key_are_put_aside_with_an_expectation_and_without() {
    let prices = merged("{ not_null: [item_id], severity: quarantine }");
    prices.write(
        "data/1.json",
        "{\"item_id\":\"p1\",\"price\":\"1\"}\n{\"price\":\"2\"}\n",
    );
    prices.run().unwrap();
    prices.write(
        "data/2.json",
        "{\"price\":\"3\"}\n{\"item_id\":\"p1\",\"price\":\"4\"}\n",
    );
    prices.run().unwrap();
    assert_eq!(prices.rows(TABLE), ["p1,4.0"]);
    assert_eq!((aside(&prices, "2.0"), aside(&prices, "3.0")), (1, 1));
    for expect in [POSITIVE, "{ not_null: [price] }"] {
        let prices = merged(expect);
        prices.write("data/1.json", "{\"price\":\"2\"}\n");
        prices.run().unwrap();
        assert_eq!(prices.number("select count(*) from silver.prices"), 0);
        let errors = prices.rows("select error from system.quarantine");
        assert!(
            errors.len() == 1 && errors[0].contains("key column `item_id` of `silver.prices` has NULLs"),
            "{errors:?}"
        );
    }
}

#[test]
fn the_quarantine_is_an_input_as_any_other_table_also_before_it_has_rows() {
    let step = "      - { name: gold.rejected, sql: rejected.sql, mode: append }\n";
    let prices = Prices::new(&format!("mode: merge, key: [item_id], expect: [{POSITIVE}]"), step);
    prices.write(
        "rejected.sql",
        "select expectation, row from changes('system.quarantine')",
    );
    prices.produce("1.json", &[("p1", "1", false)]);
    prices.run().unwrap();
    prices.run().unwrap();
    for file in ["2.json", "3.json", "4.json"] {
        prices.produce(file, &[("p1", &format!("-{}", &file[..1]), false)]);
        prices.run().unwrap();
    }
    let outcomes = prices.run().unwrap();
    assert_eq!(prices.number("select count(*) from gold.rejected"), 3);
    assert_ne!(did(&outcomes, "bronze.clicks"), "new rows");
    assert_eq!(did(&prices.run().unwrap(), "gold.rejected"), "nothing");
}

/// The expected tables, computed row by row.
#[derive(Default)]
struct Model {
    table: BTreeMap<String, BTreeSet<String>>,
    aside: BTreeMap<String, usize>,
}

impl Model {
    fn merge(&mut self, rows: &[(String, String, bool)]) {
        let is_good = |price: &str| !price.starts_with('-');
        let mut new: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for (line, (item, price, gone)) in (1..).zip(rows) {
            if *gone {
                new.entry(item).or_default();
            } else if is_good(price) {
                new.entry(item).or_default().insert(format!("{item},{price},{line}"));
            } else {
                self.aside.insert(format!("{item},{price},{line}"), 1);
            }
        }
        for (item, rows) in new {
            self.table.insert(item.to_owned(), rows);
        }
    }
}

#[test]
fn random_batches_are_in_the_table_or_aside_each_row_once() {
    let rows = prop::collection::vec(
        (
            "p[1-4]",
            prop::sample::select(vec!["1", "2", "-1", "-2"]),
            prop::bool::weighted(0.15),
        ),
        1..8,
    );
    let batches = prop::collection::vec(rows, 1..4);
    let mut runner = TestRunner::new(Config {
        cases: 16,
        failure_persistence: None,
        ..Config::default()
    });
    let settings = format!("mode: merge, key: [item_id], delete: gone, expect: [{POSITIVE}]");
    let tested = runner.run(&batches, |batches| {
        let (prices, mut model) = (Prices::new(&settings, ""), Model::default());
        for (number, rows) in batches.into_iter().enumerate() {
            let rows: Vec<_> = rows.into_iter().map(|(item, price, gone)| (item, price.to_owned(), gone)).collect();
            produce(&prices, &format!("{number}.json"), &rows);
            prices.run().unwrap();
            model.merge(&rows);
            let table: Vec<String> = model.table.values().flatten().cloned().collect();
            prop_assert_eq!(prices.rows("select item_id, cast(price as bigint), line from silver.prices"), table);
            if model.aside.is_empty() {
                continue;
            }
            let quarantine = "select get_field(r, 'item_id'), cast(get_field(r, 'price') as bigint), get_field(r, 'line') \
                              from (select from_json(row, 'item_id string, price double, line bigint') as r from \
                              system.quarantine)";
            let aside: Vec<String> = model.aside.keys().cloned().collect();
            prop_assert_eq!(prices.rows(quarantine), aside);
        }
        Ok(())
    });
    tested.unwrap();
}
