//! `clickrec init --from` where a sample tells too little, or nothing.

use std::fs;

use crate::init_from::{SILVER, sample};
use crate::support::Shop;

#[test]
fn what_no_field_says_is_to_do_at_a_line() {
    let shop = Shop::in_an_empty_folder();
    let lines: String = (0..30)
        .map(|n| format!("{{\"color\":\"red\",\"size\":{}.5}}\n", n % 3))
        .collect();
    fs::write(shop.path("a.json"), lines).unwrap();
    let output = shop.run(&["init", "shop", "--from", "a.json"]);
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{log}");
    let sql = fs::read_to_string(shop.path("shop/sql/silver/clicks.sql")).unwrap();
    for what in ["the time of an event", "a session or a user", "the ID of an item"] {
        let told = log
            .lines()
            .find(|line| line.starts_with("to do: sql/silver/clicks.sql:") && line.contains(what));
        let number: usize = told.unwrap().split(':').nth(2).unwrap().parse().unwrap();
        assert!(sql.lines().nth(number - 1).unwrap().contains("-- EDIT: "), "{log}");
    }
    let config = shop.path("shop/pipelines.yaml");
    let run = shop.run(&[&SILVER[..], &["--config", config.to_str().unwrap()]].concat());
    let log = String::from_utf8(run.stderr).unwrap();
    assert!(
        run.status.success() && log.contains("none of 30 records was accepted"),
        "{log}"
    );
    shop.ok(&["test", "--config", config.to_str().unwrap()]);
}

#[test]
fn hopeless_input_writes_nothing() {
    let shop = Shop::in_an_empty_folder();
    fs::write(shop.path("empty.json"), "").unwrap();
    fs::write(shop.path("text.txt"), "Dear all,\nthis is no table.\n").unwrap();
    fs::write(shop.path("binary.bin"), b"\x7fELF\0\0\0\x01").unwrap();
    fs::write(shop.path("numbers.json"), "[1, 2, 3]\n").unwrap();
    fs::write(shop.path("header.csv"), "timestamp,session_id,item_id\n").unwrap();
    fs::write(shop.path("framed.json"), b"{\"\0\0\x01\x86\xa2").unwrap();
    fs::create_dir(shop.path("nothing")).unwrap();
    let retailrocket = sample("retailrocket_events.csv");
    let retailrocket = retailrocket.to_str().unwrap();
    for (args, expected) in [
        (&["--from", "empty.json"][..], "has no records"),
        (&["--from", "nothing"], "has no records"),
        (&["--from", "header.csv"], "has no records"),
        (&["--from", "missing.json"], "no such file or folder"),
        (
            &["--from", "text.txt"],
            "neither JSON objects nor rows with a separator",
        ),
        (&["--from", "binary.bin"], "binary"),
        (&["--from", "framed.json"], "binary"),
        (&["--from", "numbers.json"], "a record is not a JSON object: 1"),
        (&["--from", "-"], "standard input"),
        (&["--from", "kafka://127.0.0.1:1"], "does not name a topic"),
        (
            &["--from", retailrocket, "--preset", "ga4"],
            "it has no event_timestamp; its fields are",
        ),
    ] {
        let (code, error) = shop.fails(&[&["init", "shop"][..], args].concat());
        assert!(
            code == 1 && error.contains(expected) && error.contains("help: "),
            "{args:?}: {error}"
        );
        assert!(!shop.path("shop").exists(), "{args:?} wrote something");
    }
    for args in [&["--preset", "ga4"][..], &["--from", "a", "--preset", "none"]] {
        assert_eq!(shop.fails(&[&["init", "shop"][..], args].concat()).0, 2, "{args:?}");
    }
}

#[test]
fn a_project_is_never_overwritten() {
    let shop = Shop::in_an_empty_folder();
    let clicks = sample("yoochoose_clicks.dat");
    shop.ok(&["init", ".", "--from", clicks.to_str().unwrap()]);
    let before = fs::read_to_string(shop.path("pipelines.yaml")).unwrap();
    let sample = sample("otto_sessions.jsonl");
    let (code, error) = shop.fails(&["init", ".", "--from", sample.to_str().unwrap()]);
    assert!(code == 1 && error.contains("pipelines.yaml already exists"), "{error}");
    assert_eq!(fs::read_to_string(shop.path("pipelines.yaml")).unwrap(), before);
}
