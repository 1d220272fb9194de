//! A step whose SQL cannot run stops the commands that need it, and no others.

use std::sync::OnceLock;

use crate::saved::Saved;
use crate::support::Shop;

/// SQL that breaks a step, and part of the error.
const BROKEN: [(&str, &str); 4] = [
    ("selec 1", "Expected"),
    ("select no_such_column from gold.session_items", "no_such_column"),
    (
        "select 1 as n from gold.no_such_table",
        "no step writes `gold.no_such_table`",
    ),
    ("select 1 as n, 2 as n from gold.session_items", "n"),
];

fn shop() -> Shop {
    static RUN: OnceLock<Saved> = OnceLock::new();
    Shop::after_events(&RUN, 500, 1, 0.0)
}

#[test]
fn commands_that_do_not_need_a_broken_step_answer() {
    let shop = shop();
    let file = shop.path("sql/gold/item_popularity.sql");
    for (sql, told) in BROKEN {
        std::fs::write(&file, sql).unwrap();
        for command in [
            &["sql", "-c", "select count(*) from silver.events"][..],
            &["quarantine"],
            &["history", "silver.events"],
            &["optimize", "silver.events"],
            &["test", "--select", "silver.events"],
            &["run", "--select", "+silver.events"],
        ] {
            let output = shop.run(command);
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{command:?}: {errors}");
        }
        let warned = shop.run(&["sql", "-c", "select 1"]);
        let warned = String::from_utf8(warned.stderr).unwrap();
        assert!(
            warned.contains("gold.item_popularity") && warned.contains(told),
            "{told}: {warned}"
        );
        for command in [
            &["run"][..],
            &["plan"],
            &["test"],
            &["docs"],
            &["run", "--follow", "--once"],
        ] {
            let (code, error) = shop.fails(command);
            assert_eq!(code, 2, "{command:?}: {error}");
            assert!(
                error.contains("item_popularity.sql") && error.contains(told),
                "{command:?}: {error}"
            );
        }
    }
}

#[test]
fn a_broken_view_takes_down_what_reads_it_and_nothing_else() {
    let shop = shop();
    let events = shop.number("select count(*) from silver.events");
    std::fs::write(
        shop.path("sql/silver/clicks.sql"),
        "select broken from changes('bronze.clicks')",
    )
    .unwrap();
    assert_eq!(shop.number("select count(*) from silver.events"), events);
    shop.ok(&["recommend", "--items", "prod_1", "-k", "3"]);
    shop.ok(&["run", "--select", "bronze.clicks"]);
    // Existing tables in the lake are read as they are.
    shop.ok(&["run", "--select", "gold.*"]);
    let (code, error) = shop.fails(&["run", "--select", "silver.events"]);
    assert_eq!(code, 2);
    assert!(error.contains("silver.clicks") && error.contains("broken"), "{error}");
}
