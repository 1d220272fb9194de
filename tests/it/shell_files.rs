//! Files by name in the shell: `from 'events.csv'`, `read_csv('…')`, `copy … to`, and who may not use them.

use std::fs;
use std::process::Output;

use crate::support::Shop;

fn csv(shop: &Shop, script: &str) -> String {
    shop.ok(&["sql", "--format", "csv", "-c", script])
}

fn refused(shop: &Shop, args: &[&str]) -> String {
    let Output { status, stderr, .. } = shop.run(&[&["sql"], args].concat());
    let errors = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(1), "{args:?}: {errors}");
    errors
}

const EVENTS: &str = "userId,note,price\nvisitor_1,\"a, \"\"b\"\"\nc\",1.5\nvisitor_2,,2\n";

#[test]
fn a_file_is_a_table_under_its_name() {
    let shop = Shop::up_to_silver();
    fs::write(shop.path("events.csv"), EVENTS).unwrap();
    let path = shop.path("events.csv").display().to_string();
    for name in [
        "'events.csv'",
        "\"./events.csv\"",
        &format!("'{path}'"),
        "read_csv('*.csv')",
    ] {
        let rows = csv(
            &shop,
            &format!("select count(*) as n, sum(price) as p, max(\"userId\") as u from {name}"),
        );
        assert_eq!(rows, "n,p,u\n2,3.5,visitor_2\n", "{name}");
    }
    let note = "select note from 'events.csv' as e where e.\"userId\" = 'visitor_1'";
    assert_eq!(
        shop.ok(&["sql", "--format", "json", "-c", note]),
        "[{\"note\":\"a, \\\"b\\\"\\nc\"}]\n"
    );
    let columns = csv(&shop, "describe 'events.csv'");
    assert!(
        columns.contains("userId,Utf8") && columns.contains("price,Float64"),
        "{columns}"
    );
    let error = refused(&shop, &["-c", "select userid from 'events.csv'"]);
    assert!(
        error.contains("No field named userid") && error.contains("userId"),
        "{error}"
    );
}

#[test]
fn what_is_copied_to_a_file_is_read_from_it() {
    let shop = Shop::up_to_silver();
    for name in [
        "x.parquet",
        "x.csv",
        "x.CSV.gz",
        "x.tsv",
        "x.json",
        "x.jsonl.zst",
        "x.arrow",
    ] {
        let script = format!("copy (select 1 as a, 'x' as \"B\") to '{name}'; select a, \"B\" from '{name}'");
        assert_eq!(csv(&shop, &script), "count\n1\na,B\n1,x\n", "{name}");
    }
    assert!(fs::read(shop.path("x.parquet")).unwrap().starts_with(b"PAR1"));
    assert_eq!(fs::read_to_string(shop.path("x.tsv")).unwrap(), "a\tB\n1\tx\n");

    let script = "\
copy (select 1 as a) to 'out/1.parquet';
select sum(a) as s from 'out/*.parquet';
copy (select value as a from range(2, 4)) to 'out/2.parquet';
select sum(a) as s from 'out/*.parquet';
select sum(a) as s from read_parquet('out');
select count(*) as s from read_parquet('out/2.parquet')";
    assert_eq!(csv(&shop, script), "count\n1\ns\n1\ncount\n2\ns\n6\ns\n6\ns\n2\n");
}

#[test]
fn files_that_cannot_be_read_are_named_with_a_way_out() {
    let shop = Shop::up_to_silver();
    for (name, text) in [
        ("empty.csv", ""),
        ("ragged.csv", "a,b\n1,2\n1\n"),
        ("text.parquet", "a,b\n1,2\n"),
        ("notes.txt", "a\n1\n"),
        ("typed.csv", "a\n1\nx\n"),
    ] {
        fs::write(shop.path(name), text).unwrap();
    }
    let typed = "select * from read_csv('typed.csv', schema_infer_max_rec => 1)";
    for (statement, reasons) in [
        (
            "select * from 'none.csv'",
            ["there is no file `none.csv`", "help: paths are relative to /"],
        ),
        ("select * from 'no/*.csv'", ["there is no file `no/*.csv`", "help: "]),
        ("select * from 'empty.csv'", ["`empty.csv` is empty", ""]),
        (
            "select * from 'ragged.csv'",
            ["`ragged.csv` cannot be read as csv: ", "help: read_csv("],
        ),
        (
            "select * from 'text.parquet'",
            ["`text.parquet` cannot be read as parquet: ", "help: "],
        ),
        (
            "select * from 'notes.txt'",
            ["`notes.txt` does not end in one of .arrow", "read_csv('notes.txt')"],
        ),
        (
            "select * from 's3://bucket/x.csv'",
            ["`s3://bucket/x.csv`: files are read only from disk", "help: "],
        ),
        (
            "select * from read_csv('typed.csv', delim => ';')",
            ["delim", "format_options.html"],
        ),
        (typed, ["Error while parsing value", "help: the first 100,000 records"]),
    ] {
        let error = refused(&shop, &["-c", statement]);
        assert!(
            reasons.iter().all(|reason| error.contains(reason)),
            "{statement}: {error}"
        );
        assert!(!error.contains("Error during planning"), "{error}");
    }
    assert_eq!(csv(&shop, "select a from read_csv('notes.txt')"), "a\n1\n");
}

#[test]
fn copies_go_to_disk_and_never_into_the_lake() {
    let shop = Shop::up_to_silver();
    fs::create_dir(shop.path("full")).unwrap();
    fs::write(shop.path("full/other.csv"), "a\n1\n").unwrap();
    for (target, reason) in [
        ("'lake/silver/events/x.parquet'", "only steps write to the lake"),
        ("'full/' stored as csv", "the folder is not empty"),
        ("'s3://bucket/x.csv'", "`copy` writes to disk only"),
        ("'x.txt'", "stored as csv"),
        ("'*.csv'", "is a pattern"),
    ] {
        for start in ["copy", "explain analyze copy"] {
            let error = refused(
                &shop,
                &["--write", "-c", &format!("{start} (select 1 as a) to {target}")],
            );
            assert!(error.contains(reason), "{target}: {error}");
        }
    }
    assert!(!shop.path("lake/silver/events/x.parquet").exists());
}

#[test]
fn with_safe_no_file_is_read_or_written() {
    let shop = Shop::up_to_silver();
    fs::write(shop.path("events.csv"), EVENTS).unwrap();
    for statement in [
        "select * from 'events.csv'",
        "select * from \"events.csv\"",
        "select * from read_csv('events.csv')",
        "select 1 where exists (select * from read_json('events.csv'))",
        "select * from '/etc/passwd'",
        "select * from 'file:///etc/passwd'",
        "describe 'events.csv'",
        "explain select * from 'events.csv'",
        "copy (select 1 as a) to 'x.csv'",
        "copy 'events.csv' to 'x.csv'",
        "explain analyze copy (select 1 as a) to 'x.csv'",
        "copy (select var('TOKEN', 'none') as a) to 'x.csv'",
    ] {
        let error = refused(&shop, &["--safe", "--var", "TOKEN=hush", "-c", statement]);
        assert!(
            error.contains("--safe does not allow") && !error.contains("hush") && !error.contains("visitor"),
            "{statement}: {error}"
        );
    }
    assert!(!shop.path("x.csv").exists());
}

#[test]
fn steps_and_views_read_no_files_by_name() {
    let shop = Shop::up_to_silver();
    fs::write(shop.path("events.csv"), EVENTS).unwrap();
    for (file, input) in [
        ("sql/bronze/clicks.sql", "clicks"),
        ("sql/silver/clicks.sql", "bronze.clicks"),
    ] {
        let before = fs::read_to_string(shop.path(file)).unwrap();
        for name in ["'events.csv'", "read_csv('events.csv')"] {
            let sql = format!("select c.* from changes('{input}') as c cross join {name} as f");
            fs::write(shop.path(file), sql).unwrap();
            let (code, error) = shop.fails(&["plan"]);
            assert_eq!(code, 2, "{error}");
            assert!(
                error.contains(file) && error.contains("only the shell") && error.contains("changes('SOURCE')"),
                "{error}"
            );
        }
        fs::write(shop.path(file), before).unwrap();
    }
    fs::write(shop.path("sql/silver/clicks.sql"), "select * from 'events.csv'").unwrap();
    let error = refused(&shop, &["-c", "select * from silver.clicks"]);
    assert!(!error.contains("visitor"), "{error}");
}
