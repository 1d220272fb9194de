//! `clickrec sql`: statements, scripts and backslash commands without a terminal.

use std::fs;
use std::io::Write;
use std::process::{Output, Stdio};

use crate::support::Shop;

fn sql(shop: &Shop, args: &[&str]) -> String {
    shop.ok(&[&["sql"], args].concat())
}

fn refused(shop: &Shop, args: &[&str]) -> String {
    let output = shop.run(&[&["sql"], args].concat());
    assert_eq!(output.status.code(), Some(1), "{args:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn piped(shop: &Shop, args: &[&str], script: &str) -> Output {
    let mut command = shop.command(&[&["sql"], args].concat());
    let child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = child.spawn().unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn scripts_hold_several_statements_and_commands() {
    let shop = Shop::after_a_run();
    let script = "-- two; three\nselect ';' as a;\n\\format ndjson\nselect 2 as b; select 3 as c\n";
    let expected = "a\n;\n{\"b\":2}\n{\"c\":3}\n";
    let output = piped(&shop, &["--format", "csv"], script);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
    let file = shop.path("script.sql");
    fs::write(&file, script).unwrap();
    assert_eq!(sql(&shop, &["--format", "csv", "-f", "script.sql"]), expected);
    assert_eq!(sql(&shop, &["--format", "csv", "-c", script]), expected);
    assert_eq!(sql(&shop, &["--format", "csv", "-c", "\\i script.sql"]), expected);
    let both = [
        "-c",
        "\\format csv",
        "-c",
        "select 1 as a \\x",
        "-c",
        "select 1 as a",
        "-c",
        "\\q",
        "-c",
        "select 2",
    ];
    assert!(sql(&shop, &both).starts_with("a\n1\n── row 1"), "{}", sql(&shop, &both));
    assert!(!sql(&shop, &both).contains('2'), "\\q leaves");
}

#[test]
fn a_failing_statement_ends_a_script_with_its_file_and_line() {
    let shop = Shop::after_a_run();
    fs::write(
        shop.path("broken.sql"),
        "select 1 as a;\n\n-- why\nselect\n  1,\n  nothing\nfrom silver.events;\nselect 2 as never;\n",
    )
    .unwrap();
    let output = shop.run(&["sql", "--format", "csv", "-f", "broken.sql"]);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "a\n1\n",
        "what came before it was printed"
    );
    assert!(
        errors.contains("error: broken.sql:6: ") && errors.contains("nothing"),
        "{errors}"
    );

    fs::write(shop.path("includes.sql"), "select 1;\n\\i broken.sql\n").unwrap();
    assert!(refused(&shop, &["-f", "includes.sql"]).contains("error: broken.sql:6: "));
    fs::write(shop.path("itself.sql"), "\\i itself.sql\n").unwrap();
    assert!(refused(&shop, &["-f", "itself.sql"]).contains("includes itself"));
    let parsing = refused(&shop, &["-c", "select 1;\nselect from where"]);
    assert!(
        parsing.contains("-c:2: ") && !parsing.contains("ParserError"),
        "{parsing}"
    );
    let output = piped(&shop, &[], "\n\n\\dtt\n");
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(
        errors.contains("stdin:3: there is no command \\dtt") && errors.contains("did you mean \\dt?"),
        "{errors}"
    );
    assert!(refused(&shop, &["-c", "select * from silver.event"]).contains("did you mean `silver.events`?"));
    assert!(refused(&shop, &["-c", "select 'open"]).contains("-c:1: Unterminated string literal"));
}

#[test]
fn commands_tell_what_there_is() {
    let shop = Shop::after_a_run();
    let tables = sql(&shop, &["--format", "csv", "-c", "\\dt"]);
    for line in [
        "bronze.clicks,table,",
        "silver.clicks,view,,,",
        "gold.recommendations,table,",
    ] {
        assert!(tables.contains(line), "{line}: {tables}");
    }
    assert_eq!(sql(&shop, &["--format", "csv", "-c", "\\dt silver"]).lines().count(), 9);
    let output = shop.run(&["sql", "-c", "\\d silver.quarantine"]);
    let described = String::from_utf8(output.stderr).unwrap();
    let written = "written by sql/silver/quarantine.sql, mode append, pipeline clickstream";
    assert!(described.contains(written), "{described}");
    let columns = sql(&shop, &["--format", "csv", "-c", "\\d silver.quarantine"]);
    assert!(
        columns.starts_with("column,type,null\n") && columns.contains("\nreason,Utf8,"),
        "{columns}"
    );
    assert!(refused(&shop, &["-c", "\\d silver.event"]).contains("did you mean `silver.events`?"));
    let layers = sql(&shop, &["--format", "csv", "-c", "\\layers"]);
    assert!(
        layers.contains("bronze,bronze.clicks,append,changes('clicks'),sql/bronze/clicks.sql"),
        "{layers}"
    );
    let history = sql(&shop, &["--format", "csv", "-c", "\\history silver.events"]);
    assert!(
        history.starts_with("version,at,operation,mode,rows,files,removed,by"),
        "{history}"
    );
    assert!(sql(&shop, &["-c", "\\?"]).contains("\\watch [SECONDS] [TIMES]"));
}

#[test]
fn functions_explain_themselves() {
    let shop = Shop::after_a_run();
    let als = sql(&shop, &["-c", "\\df als_train"]);
    for part in [
        "als_train (table)",
        "als_train(INTERACTIONS, user => …",
        "warm_start",
        "64 by default",
    ] {
        assert!(als.contains(part), "{part}: {als}");
    }
    assert!(
        sql(&shop, &["-c", "\\df date_bin"]).contains("date_bin(interval"),
        "those of DataFusion too"
    );
    assert!(sql(&shop, &["-c", "\\df changes"]).contains("changes('NAME')"));
    assert!(sql(&shop, &["--format", "csv", "-c", "\\df"]).lines().count() > 200);
    assert!(sql(&shop, &["--format", "csv", "-c", "\\df recom"]).contains("\nrecommend,table,"));
    assert!(refused(&shop, &["-c", "\\df als_trian"]).contains("did you mean als_train?"));
}

#[test]
fn explain_prints_the_plan_and_runs_nothing() {
    let shop = Shop::after_a_run();
    let plan = sql(&shop, &["-c", "\\explain select count(*) from silver.events"]);
    assert!(
        plan.contains("logical_plan:") && plan.contains("physical_plan:"),
        "{plan}"
    );
    let plan = sql(&shop, &["--format", "csv", "-c", "select 1 as a; \\explain analyze"]);
    assert!(plan.starts_with("a\n1\n") && plan.contains("output_rows=1"), "{plan}");
    assert!(refused(&shop, &["-c", "\\explain"]).contains("no statement has been run yet"));
}

#[test]
fn results_go_to_a_file_and_back() {
    let shop = Shop::after_a_run();
    let out = sql(
        &shop,
        &[
            "--format",
            "csv",
            "-c",
            "\\o out.csv\nselect 1 as a;\nselect 2 as b;\n\\o\nselect 3 as c",
        ],
    );
    assert_eq!(out, "c\n3\n");
    assert_eq!(fs::read_to_string(shop.path("out.csv")).unwrap(), "a\n1\nb\n2\n");
    assert!(refused(&shop, &["-c", "\\o no/such/folder/x"]).contains("cannot write no/such/folder/x"));
}

#[test]
fn watch_repeats_and_timing_tells_time_and_memory() {
    let shop = Shop::after_a_run();
    let output = shop.run(&[
        "sql",
        "--format",
        "csv",
        "-c",
        "\\timing on\nselect 1 as a \\watch 0.05 3",
    ]);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "a\n1\n".repeat(4));
    assert_eq!(errors.matches("Time: ").count(), 4, "{errors}");
    assert!(errors.contains("every 50ms"), "{errors}");
    let sorted = shop.run(&[
        "sql",
        "--format",
        "csv",
        "-c",
        "\\timing\nselect count(*) from (select distinct value from bronze.clicks)",
    ]);
    let errors = String::from_utf8(sorted.stderr).unwrap();
    assert!(
        errors.contains("peak memory: ") && !errors.contains("peak memory: 0"),
        "{errors}"
    );
}

#[test]
fn a_limit_leaves_rows_out_and_says_how_many() {
    let shop = Shop::after_a_run();
    let output = shop.run(&["sql", "-c", "\\limit 3\nselect * from generate_series(1, 100000)"]);
    let (rows, errors) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    assert_eq!(rows.lines().count(), 7, "{rows}");
    assert!(
        errors.contains("(3 of 100,000 rows shown; \\limit off shows all)"),
        "{errors}"
    );
    assert_eq!(
        sql(&shop, &["--format", "csv", "-c", "\\limit 3\nselect * from range(10)"])
            .lines()
            .count(),
        11
    );
}

#[test]
fn the_lake_is_read_as_it_was() {
    let shop = Shop::new();
    shop.produce("1.json", 300, 1, 0.0);
    shop.ok(&["run", "--select", "bronze.clicks"]);
    let between = chrono::Utc::now().to_rfc3339();
    shop.produce("2.json", 200, 2, 0.0);
    shop.ok(&["run"]);
    let count = "select count(*) as n from bronze.clicks;";
    let at = |moment: &str| {
        let script = format!("\\o /dev/null\n\\at {moment}\n\\o\n{count}\n\\o /dev/null\n\\at now\n\\o\n{count}");
        let output = piped(&shop, &["--format", "csv"], &script);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().replace("n\n", "")
    };
    assert_eq!(at("0"), "300\n500\n");
    assert_eq!(at("7"), "500\n500\n", "there is no such version yet");
    assert_eq!(at(&between), "300\n500\n");
    assert_eq!(at("2020-01-01"), "0\n500\n", "it did not exist yet");
    let versions = shop.ok(&["sql", "--format", "csv", "-c", &format!("\\at {between}")]);
    assert!(
        versions.contains("bronze.clicks,0,300\nsilver.events,,\n"),
        "{versions}"
    );
}

#[test]
fn steps_run_from_the_shell_where_it_may_write() {
    let shop = Shop::new();
    shop.produce("1.json", 100, 1, 0.0);
    let (code, error) = shop.fails(&["sql", "-c", "\\run bronze.clicks"]);
    assert!(code == 1 && error.contains("clickrec sql --write"), "{error}");
    let output = piped(
        &shop,
        &["--write", "--format", "csv"],
        "\\run bronze.clicks\nselect count(*) as n from bronze.clicks",
    );
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "n\n100\n",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(String::from_utf8_lossy(&output.stderr).contains("bronze.clicks: 100 rows read, 100 written"));
    let (code, error) = shop.fails(&["sql", "--write", "-c", "\\run bronze.click"]);
    assert!(code == 1 && error.contains("did you mean `bronze.clicks`?"), "{error}");
}

#[test]
fn the_lake_is_not_written_and_safe_shuts_out_files_and_the_environment() {
    let shop = Shop::after_a_run();
    for (statement, reason) in [
        ("create table x as select 1", "DDL not supported"),
        (
            "create external table x stored as csv location '/etc/passwd'",
            "DDL not supported",
        ),
        (
            "insert into silver.events select * from silver.events",
            "DML not supported",
        ),
        ("set datafusion.execution.batch_size = 1", "Statement not supported"),
    ] {
        let error = refused(&shop, &["-c", statement]);
        assert!(error.contains(reason), "{statement}: {error}");
    }
    let error = refused(
        &shop,
        &["--write", "-c", "insert into silver.events select * from silver.events"],
    );
    assert!(error.contains("`silver.events` is not a topic"), "{error}");

    assert_eq!(
        sql(
            &shop,
            &[
                "--format",
                "csv",
                "-c",
                "select count(*) > 0 as some from changes('clicks')"
            ]
        ),
        "some\ntrue\n"
    );
    for statement in [
        "select count(*) from changes('clicks')",
        "select var('TOKEN', 'none')",
        "explain select var('TOKEN', 'none')",
        "\\i script.sql",
        "\\o x.csv",
        "\\run silver.events",
    ] {
        let error = refused(&shop, &["--safe", "--var", "TOKEN=hush", "-c", statement]);
        assert!(
            error.contains("--safe does not allow") && !error.contains("hush"),
            "{statement}: {error}"
        );
    }
    assert!(!shop.path("x.csv").exists());
    let count = "select count(*) > 0 as some from silver.events where event_id in (select event_id from silver.clicks)";
    assert_eq!(sql(&shop, &["--safe", "--format", "csv", "-c", count]), "some\ntrue\n");
}

#[test]
fn data_cannot_steer_the_terminal() {
    let shop = Shop::after_a_run();
    let out = sql(&shop, &["-c", "select chr(27) || '[31mred' as a"]);
    assert!(out.contains("\\u{1b}[31mred") && !out.contains('\u{1b}'), "{out:?}");
}

#[test]
fn json_has_a_key_for_every_column() {
    let shop = Shop::after_a_run();
    let twice = "select a.x, b.x, null as y from (select 1 as x) as a cross join (select 2 as x) as b";
    let of = |format: &str| sql(&shop, &["--format", format, "-c", twice]);
    assert_eq!(of("json"), "[{\"x\":1,\"x_2\":2,\"y\":null}]\n");
    assert_eq!(of("ndjson"), "{\"x\":1,\"x_2\":2,\"y\":null}\n");
    assert_eq!(of("csv"), "x,x,y\n1,2,\n", "places tell columns of one name apart");
}

#[test]
fn sums_are_right_or_an_error_and_null_where_nothing_is_summed() {
    let shop = Shop::after_a_run();
    let value = |statement: &str| sql(&shop, &["--format", "json", "-c", statement]);
    assert_eq!(
        value("select avg(null) as x, sum(null) as y"),
        "[{\"x\":null,\"y\":null}]\n"
    );
    let values = "from (values (9223372036854775807), (1)) as t (x)";
    let error = refused(&shop, &["-c", &format!("select sum(x) {values}")]);
    assert!(
        error.contains("out of range for bigint") && error.contains("help:"),
        "{error}"
    );
    let whole = value(&format!(
        "select cast(sum(cast(x as decimal(38, 0))) as varchar) as x {values}"
    ));
    assert_eq!(whole, "[{\"x\":\"9223372036854775808\"}]\n");
}
