//! What other engines may do to the tables of a lake, and how the next run reacts: see docs/reliability.md.

use deltalake::arrow::array::{Int64Array, RecordBatch};
use deltalake::kernel::{DataType, PrimitiveType, StructField};
use deltalake::operations::create::CreateBuilder;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::foreign_acts::Act::{self, *};
use crate::foreign_acts::{act, assert_whole, two_runs};
use crate::prices::{Prices, did, selected};

/// What the next run does.
#[derive(Debug, Clone, Copy)]
enum Next {
    /// It does not notice anything.
    Invisible,
    /// Bronze rereads what it has lost.
    ReadAgain,
    /// Bronze continues, with rows of others in it.
    GoesOn,
    /// The table is rebuilt, for this reason.
    Rebuilt(&'static str),
    /// The table continues from its current position.
    CatchesUp,
    /// The run fails with this error.
    Refused(&'static str),
}

use Next::*;

const GONE: &str = "no longer holds all that was read into it";
const ROWS: &str = "another program changed its rows";

/// The change and its table; then what the next run does without new records, and with new records.
const CASES: &[(&str, Act, Next)] = &[
    ("bronze.clicks", Restore(0), ReadAgain),
    ("bronze.clicks", DeleteOne, Refused(GONE)),
    ("bronze.clicks", DeleteAll, Refused(GONE)),
    ("bronze.clicks", Update, Refused(GONE)),
    ("bronze.clicks", Overwrite, Refused(GONE)),
    ("bronze.clicks", Replace, Refused(GONE)),
    ("bronze.clicks", Append, GoesOn),
    ("bronze.clicks", Optimize, Invisible),
    ("bronze.clicks", Vacuum, Invisible),
    ("bronze.clicks", Property, Invisible),
    ("bronze.clicks", Checkpoint, Invisible),
    ("silver.prices", Restore(0), CatchesUp),
    ("silver.prices", DeleteOne, Rebuilt(ROWS)),
    ("silver.prices", DeleteAll, Rebuilt(ROWS)),
    ("silver.prices", Update, Rebuilt(ROWS)),
    ("silver.prices", Overwrite, Rebuilt(ROWS)),
    ("silver.prices", Replace, Rebuilt(ROWS)),
    ("silver.prices", Append, Rebuilt(ROWS)),
    ("silver.prices", Optimize, Invisible),
    ("silver.prices", Property, Invisible),
    (
        "silver.prices",
        AddColumn,
        Rebuilt("another program changed its columns"),
    ),
    ("gold.total", Restore(0), Rebuilt("its input has changed")),
    ("gold.total", DeleteAll, Rebuilt(ROWS)),
    ("gold.total", Overwrite, Rebuilt(ROWS)),
    ("gold.total", Replace, Rebuilt(ROWS)),
    ("gold.total", Append, Rebuilt(ROWS)),
    ("gold.total", AddColumn, Rebuilt("another program changed its columns")),
    ("gold.total", Checkpoint, Invisible),
];

fn check(prices: &Prices, (table, done, next): (&str, Act, Next), records: u64, has_new: bool) {
    let case = format!("{done:?} of {table}, new records: {has_new}");
    let ran = prices.run();
    match next {
        Refused(why) => {
            let error = ran.expect_err(&case);
            assert!(error.contains(why) && error.contains("help: "), "{case}: {error}");
            return;
        }
        GoesOn => {
            ran.unwrap();
            let (rows, known) = (records + 1, "select count(*) from bronze.clicks");
            assert_eq!(prices.number(known), rows, "{case}");
            return;
        }
        _ => {}
    }
    let outcomes = ran.unwrap_or_else(|error| panic!("{case}: {error}"));
    let did = did(&outcomes, table);
    match next {
        Invisible if has_new && table == "gold.total" => assert_eq!(did, "its input has changed", "{case}"),
        Invisible => assert_eq!(did, if has_new { "new rows" } else { "nothing" }, "{case}"),
        Rebuilt(why) => assert!(did.contains(why), "{case}: {did}"),
        _ => assert_eq!(did, "new rows", "{case}"),
    }
    assert_whole(prices, records, &case);
    let again = prices.run().unwrap();
    assert!(again.iter().all(|outcome| outcome.is_up_to_date()), "{case}: {again:?}");
}

#[test]
fn whatever_others_do_to_a_table_the_next_run_is_whole_or_says_why_not() {
    let base = two_runs();
    for case in CASES {
        let prices = base.copy();
        prices.other(case.0, |table| act(table, case.1));
        let with_new = prices.copy();
        check(&prices, *case, 5, false);
        with_new.produce("3.json", &[("f", "6", false)]);
        check(&with_new, *case, 6, true);
    }
}

#[test]
fn a_column_that_others_added_to_bronze_stops_it_once_there_is_something_to_write() {
    let prices = two_runs();
    prices.other("bronze.clicks", |table| act(table, AddColumn));
    prices.run().unwrap();
    prices.produce("3.json", &[("f", "6", false)]);
    let error = prices.run().unwrap_err();
    assert!(
        error.contains("column `more` of the table is missing") && error.contains("help: "),
        "{error}"
    );
}

#[test]
fn rows_that_others_took_from_bronze_come_back_by_each_of_the_ways_out() {
    let prices = two_runs();
    prices.other("bronze.clicks", |table| act(table, DeleteOne));
    let error = prices.run().unwrap_err();
    for told in [
        "DELETE by delta-rs",
        "in version 2",
        "RESTORE to version 1",
        "--full-refresh --select bronze.clicks+",
        "--accept-loss",
    ] {
        assert!(error.contains(told), "{told}: {error}");
    }
    // Nothing is computed from partial data, whatever is requested.
    for select in ["silver.prices", "silver.prices+"] {
        assert!(prices.run_with(&selected(select)).unwrap_err().contains(GONE));
        assert!(prices.full_refresh(select).unwrap_err().contains(GONE));
    }
    let restored = prices.copy();
    restored.other("bronze.clicks", |table| act(table, Restore(1)));
    restored.run().unwrap();
    assert_whole(&restored, 5, "restored");

    let rebuilt = prices.copy();
    rebuilt.full_refresh("bronze.clicks+").unwrap();
    assert_whole(&rebuilt, 5, "rebuilt");

    let outcomes = prices.accept_loss().unwrap();
    assert!(did(&outcomes, "silver.prices").contains("its rows were replaced in version 2 (DELETE by delta-rs"));
    assert_whole(&prices, 3, "accepted");
    prices.produce("3.json", &[("f", "6", false)]);
    prices.run().unwrap();
    assert_whole(&prices, 4, "accepted, and gone on");
}

#[test]
fn a_restored_bronze_whose_source_no_longer_has_what_was_lost_is_refused() {
    let base = two_runs();
    base.other("bronze.clicks", |table| act(table, Restore(0)));
    let gone = base.copy();
    std::fs::remove_file(gone.path("data/2.json")).unwrap();
    let error = gone.run().unwrap_err();
    assert!(error.contains(GONE) && error.contains("RESTORE by delta-rs"), "{error}");
    assert!(gone.run_with(&selected("silver.prices")).unwrap_err().contains(GONE));
    gone.accept_loss().unwrap();
    assert_whole(&gone, 3, "accepted");
    gone.run().unwrap();

    // A restore to a time, and a second restore.
    base.run().unwrap();
    assert_whole(&base, 5, "read again");
    base.other("bronze.clicks", |table| act(table, Restore(0)));
    base.other("bronze.clicks", |table| act(table, Restore(3)));
    base.other("bronze.clicks", |table| act(table, Restore(4)));
    base.run().unwrap();
    assert_whole(&base, 5, "restored several times");
}

#[test]
fn a_delete_shows_also_where_the_log_before_it_is_gone() {
    let prices = two_runs();
    prices.other("bronze.clicks", |table| act(table, DeleteOne));
    prices.other("bronze.clicks", |table| act(table, Checkpoint));
    for version in 0..2 {
        let entry = format!("lake/bronze/clicks/_delta_log/{version:020}.json");
        std::fs::remove_file(prices.path(&entry)).unwrap();
    }
    let error = prices.run().unwrap_err();
    assert!(error.contains(GONE), "{error}");
}

#[test]
fn tables_that_are_only_read_are_read_again_whatever_others_do_to_them() {
    let step = "      - { name: gold.known, sql: known.sql, mode: overwrite }\n\
                \x20     - { name: gold.copied, sql: copied.sql, mode: append }\n";
    let prices = Prices::new("mode: merge, key: [item_id]", step);
    prices.write(
        "known.sql",
        "select count(*) as items, sum(line) as lines from ref.items",
    );
    prices.write("copied.sql", "select line from changes('ref.items')");
    let folder = prices.path("lake/ref/items");
    std::fs::create_dir_all(&folder).unwrap();
    let url = url::Url::from_directory_path(folder).unwrap();
    let column = StructField::new("line", DataType::Primitive(PrimitiveType::Long), true);
    let rows = RecordBatch::try_from_iter([("line", std::sync::Arc::new(Int64Array::from(vec![1, 2, 3])) as _)]);
    prices.block_on(async {
        let table = CreateBuilder::new()
            .with_location(url)
            .with_columns([column])
            .await
            .unwrap();
        table.write([rows.unwrap()]).await.unwrap();
    });
    prices.run().unwrap();
    for done in [
        Append,
        DeleteOne,
        Append,
        Update,
        Restore(1),
        Optimize,
        Overwrite,
        Append,
        Restore(4),
        DeleteAll,
    ] {
        prices.other("ref.items", |table| act(table, done));
        prices.run().unwrap();
        let known = prices.rows("select count(*), sum(line) from ref.items");
        assert_eq!(prices.rows("select items, lines from gold.known"), known, "{done:?}");
        assert_eq!(
            prices.rows("select line from gold.copied"),
            prices.rows("select line from ref.items"),
            "{done:?}"
        );
    }
}

#[test]
fn a_step_that_also_reads_a_source_takes_no_rows_of_a_table_twice() {
    let step = "      - { name: gold.both, sql: both.sql, mode: append }\n";
    let prices = Prices::new("mode: merge, key: [item_id]", step);
    let both = r#"select "offset" as line from changes('clicks') union all select line from changes('silver.prices')"#;
    prices.write("both.sql", both);
    prices.produce("1.json", &[("a", "1", false), ("b", "2", false)]);
    prices.run().unwrap();
    prices.run().unwrap();
    assert_eq!(prices.number("select count(*) from gold.both"), 4);
    prices.other("silver.prices", |table| act(table, Overwrite));
    prices.produce("2.json", &[("c", "3", false)]);
    let error = prices.run().unwrap_err();
    assert!(
        error.contains("`gold.both` would read rows again that it has already read"),
        "{error}"
    );
    prices.full_refresh("gold.both").unwrap();
    prices.run().unwrap();
    assert_eq!(prices.number("select count(*) from gold.both"), 3 + 3);
    // A table of the same name that is not the one it has read.
    std::fs::remove_dir_all(prices.path("lake/silver/prices")).unwrap();
    let error = prices.run().unwrap_err();
    assert!(
        error.contains("`gold.both` would read rows again that it has already read"),
        "{error}"
    );
    assert_eq!(prices.number("select count(*) from gold.both"), 3 + 3);
}

#[test]
fn system_tables_that_others_changed_are_added_to_and_read_again() {
    let expect = "expect: [{ range: { price: { min: 0 } }, severity: quarantine }]";
    let step = "      - { name: gold.rejected, sql: rejected.sql, mode: append }\n";
    let prices = Prices::new(&format!("mode: merge, key: [item_id], {expect}"), step);
    prices.write("rejected.sql", "select row from changes('system.quarantine')");
    for (file, price) in [("1.json", "-1"), ("2.json", "-2"), ("3.json", "-3")] {
        prices.produce(file, &[("a", price, false)]);
        prices.run().unwrap();
    }
    prices.other("system.quarantine", |table| act(table, Restore(0)));
    prices.other("system.runs", |table| act(table, DeleteAll));
    prices.produce("4.json", &[("a", "-4", false)]);
    prices.run().unwrap();
    prices.run().unwrap();
    assert_eq!(prices.number("select count(*) from system.quarantine"), 2);
    assert_eq!(prices.number("select count(*) from gold.rejected"), 2);
    assert!(prices.number("select count(*) from system.runs") > 0);
}

#[derive(Debug, Clone)]
enum Move {
    File,
    Run,
    /// To a version, given as a share of the existing ones.
    Restore(f64),
    Other(Act),
}

/// Runs until everything is complete, following the help in the errors.
fn run_until_whole(prices: &Prices, records: u64, restores: bool) -> Result<(), TestCaseError> {
    if let Err(error) = prices.run() {
        prop_assert!(error.contains(GONE), "{}", error);
        let whole = error
            .split("RESTORE to version ")
            .nth(1)
            .and_then(|rest| rest.split(';').next());
        match whole.and_then(|version| version.parse().ok()).filter(|_| restores) {
            Some(version) => prices.other("bronze.clicks", |table| act(table, Restore(version))),
            None => _ = prices.full_refresh("bronze.clicks+").map_err(TestCaseError::fail)?,
        }
        prices.run().map_err(TestCaseError::fail)?;
    }
    assert_whole(prices, records, "after a run");
    Ok(())
}

#[test]
fn whatever_others_did_a_run_that_succeeds_leaves_each_record_once() {
    let others = prop::sample::select(vec![DeleteAll, DeleteOne, Overwrite, Optimize, Update, Property]);
    let moves = prop_oneof![
        3 => Just(Move::File),
        3 => Just(Move::Run),
        2 => (0.0..1.0).prop_map(Move::Restore),
        2 => others.prop_map(Move::Other),
    ];
    let moves = (prop::collection::vec(moves, 3..8), any::<bool>());
    let mut runner = TestRunner::new(Config {
        cases: 12,
        failure_persistence: None,
        ..Config::default()
    });
    let base = two_runs();
    let tested = runner.run(&moves, |(moves, restores)| {
        let (prices, mut files) = (base.copy(), 2);
        for next in moves {
            match next {
                Move::File => {
                    files += 1;
                    prices.produce(
                        &format!("{files}.json"),
                        &[(&format!("x{files}"), "1", false), (&format!("y{files}"), "2", false)],
                    );
                }
                Move::Run => run_until_whole(&prices, 5 + 2 * (files - 2), restores)?,
                Move::Restore(share) => prices.other("bronze.clicks", async |table| {
                    let version = table.version().unwrap();
                    act(table, Restore((version as f64 * share) as u64)).await;
                }),
                Move::Other(done) => prices.other("bronze.clicks", async |table| {
                    let files = table.snapshot().unwrap().log_data().num_files();
                    if files > 0 {
                        act(table, done).await;
                    }
                }),
            }
        }
        run_until_whole(&prices, 5 + 2 * (files - 2), restores)
    });
    tested.unwrap();
}
