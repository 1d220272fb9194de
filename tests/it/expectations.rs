//! Expectations: conditions on the rows of a step, checked before they become part of its table.

use crate::support::Shop;

const EVENTS: &str = "mode: merge, key: [event_id, event_date] }";

/// A shop with one file of events, with these expectations on `silver.events`.
fn shop(expect: &str) -> Shop {
    let shop = Shop::without_recommender();
    shop.edit(
        "pipelines.yaml",
        EVENTS,
        &format!("mode: merge, key: [event_id, event_date], expect: [{expect}] }}"),
    );
    shop.produce("1.json", 1_000, 1, 0.0);
    shop
}

#[test]
fn rows_that_only_warn_are_written_and_told() {
    let shop = shop("{ accepted_values: { event_type: [view, add_to_cart] }, severity: warn }");
    let output = shop.run(&["run"]);
    assert!(output.status.success());
    let purchases = shop.number("select count(*) from silver.events where event_type = 'purchase'");
    assert!(purchases > 0);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.contains(&format!(
            "warn    {purchases} rows violate `accepted_values event_type`"
        )),
        "{told}"
    );
    let found = shop.rows("select step, expectation, severity, offending_rows, version from system.expectations");
    assert_eq!(
        found,
        [format!("silver.events,accepted_values event_type,warn,{purchases},0")]
    );
}

#[test]
fn a_step_that_fails_writes_nothing_and_what_reads_it_is_skipped() {
    let shop = shop("{ accepted_values: { event_type: [view, add_to_cart] } }");
    let (code, error) = shop.fails(&["run"]);
    assert_eq!(code, 1);
    for told in [
        "`silver.events`: ",
        "rows violate `accepted_values event_type`; nothing was written",
        "\"event_type\":\"purchase\"",
        "severity: warn",
        "skip    silver.events failed or was skipped",
        "1 ok, 1 failed,",
    ] {
        assert!(error.contains(told), "{told}: {error}");
    }
    assert_eq!(shop.number("select count(*) from silver.events"), 0);
    assert_eq!(shop.number("select count(*) from bronze.clicks"), 1_000);
    assert!(!shop.path("lake/silver/events").exists() || !has_parquet(&shop, "lake/silver/events"));
    let runs = shop.rows("select status, count(*) from system.runs group by 1 order by 1");
    assert_eq!(runs[0], "failed,1");
    assert!(runs.iter().any(|row| row.starts_with("skipped,")), "{runs:?}");
    shop.edit("pipelines.yaml", "[view, add_to_cart]", "[view, add_to_cart, purchase]");
    shop.ok(&["run"]);
    shop.assert_nothing_lost(1_000);
}

fn has_parquet(shop: &Shop, folder: &str) -> bool {
    let mut entries = std::fs::read_dir(shop.path(folder)).unwrap();
    entries.any(|entry| entry.unwrap().path().extension().is_some_and(|e| e == "parquet"))
}

#[test]
fn rows_that_are_put_aside_are_in_the_quarantine_once_and_not_in_the_table() {
    let shop = shop("{ accepted_values: { event_type: [view, add_to_cart] }, severity: quarantine, name: no sales }");
    shop.ok(&["run"]);
    let count = |sql: &str| shop.number(sql);
    let aside = count("select count(*) from system.quarantine");
    assert!(aside > 0);
    assert_eq!(
        count("select count(*) from silver.events where event_type = 'purchase'"),
        0
    );
    assert_eq!(count("select count(*) from silver.events") + aside, 1_000);
    let row = &shop.rows("select step, expectation, row from system.quarantine limit 1")[0];
    assert!(
        row.starts_with("silver.events,no sales,") && row.contains("purchase"),
        "{row}"
    );
    // A second batch, and a full refresh: no row is quarantined twice.
    shop.produce("2.json", 500, 2, 0.0);
    shop.ok(&["run"]);
    let aside = count("select count(*) from system.quarantine");
    assert_eq!(count("select count(*) from silver.events") + aside, 1_500);
    shop.ok(&["run", "--full-refresh", "--select", "silver.events"]);
    assert_eq!(count("select count(*) from system.quarantine"), aside);
}

#[test]
fn each_kind_of_check_finds_its_rows() {
    let shop = shop(
        "{ not_null: [user_id], severity: warn }, { unique: [session_id], severity: warn },
         { range: { \"offset\": { min: 10, max: 19 } }, severity: warn },
         { references: { item_id: catalog.items.id }, severity: warn }, { sql: sql/expect/odd.sql, severity: warn }",
    );
    std::fs::create_dir(shop.path("sql/expect")).unwrap();
    std::fs::write(
        shop.path("sql/expect/odd.sql"),
        "select * from silver.events where \"offset\" % 2 = 1",
    )
    .unwrap();
    let (code, error) = shop.fails(&["run"]);
    assert_eq!(code, 2);
    assert!(
        error.contains("pipelines.yaml:") && error.contains("no step writes `catalog.items`"),
        "{error}"
    );
    shop.edit("pipelines.yaml", "catalog.items.id", "bronze.clicks.topic");
    shop.ok(&["run", "--select", "+silver.events"]);
    let found = shop.rows("select expectation, offending_rows from system.expectations order by expectation");
    let users = shop.number("select count(*) from silver.events where user_id is null");
    let in_long_sessions = shop
        .number("select sum(n) from (select count(*) as n from silver.events group by session_id having count(*) > 1)");
    let numbers = shop.number("select count(*) from silver.events where \"offset\" not between 10 and 19");
    let odd = shop.number("select count(*) from silver.events where \"offset\" % 2 = 1");
    assert_eq!(
        found,
        [
            format!("not_null user_id,{users}"),
            format!("range offset,{numbers}"),
            "references item_id -> bronze.clicks.topic,1000".to_owned(),
            format!("sql/expect/odd.sql,{odd}"),
            format!("unique session_id,{in_long_sessions}"),
        ]
    );
}

#[test]
fn what_an_expectation_gets_wrong_is_told_before_any_data_is_touched() {
    for (expect, told) in [
        ("{ not_nul: [item_id] }", "did you mean `not_null`?"),
        ("{ not_null: [item] }", "expectation `not_null item`"),
        ("{ not_null: [item_id], severity: wran }", "did you mean `warn`?"),
        (
            "{ not_null: [item_id], unique: [item_id] }",
            "an expectation needs exactly one of",
        ),
        (
            "{ references: { item_id: items } }",
            "`items` is not LAYER.TABLE.COLUMN",
        ),
        ("sql/expect/none.sql", "sql/expect/none.sql cannot be read"),
    ] {
        let shop = shop(expect);
        let (code, error) = shop.fails(&["run"]);
        assert_eq!(code, 2, "{error}");
        assert!(
            error.contains(told) && error.contains("pipelines.yaml:"),
            "{told}: {error}"
        );
        assert!(!shop.path("lake").exists(), "{expect}");
    }
}
