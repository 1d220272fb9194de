//! `system.quarantine` with several writers, with crashes, and with data from earlier versions.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::prices::Prices;
use crate::quarantined_rows::{POSITIVE, TABLE, aside, merged};
use crate::support::{binary, signal};

/// What earlier versions wrote to the quarantine: no positions, and no number of files in a commit.
fn as_earlier_versions(prices: &Prices) {
    let log = prices.path("lake/system/quarantine/_delta_log");
    for entry in std::fs::read_dir(log).unwrap() {
        let file = entry.unwrap().path();
        let text = std::fs::read_to_string(&file).unwrap();
        let start = text
            .find(",\"clickrec.files\":")
            .or_else(|| text.find("\"clickrec.files\":"))
            .unwrap();
        let end = start + 1 + text[start + 1..].find([',', '}']).unwrap();
        let text = format!("{}{}", &text[..start], &text[end..]);
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("{\"txn\"")).collect();
        std::fs::write(&file, lines.join("\n")).unwrap();
    }
}

#[test]
fn what_earlier_versions_wrote_into_the_quarantine_is_read_and_added_to() {
    let step = "      - { name: gold.rejected, sql: rejected.sql, mode: append }\n";
    let prices = Prices::new(&format!("mode: merge, key: [item_id], expect: [{POSITIVE}]"), step);
    prices.write("rejected.sql", "select row from changes('system.quarantine')");
    prices.produce("1.json", &[("p1", "-1", false)]);
    prices.run().unwrap();
    prices.run().unwrap();
    prices.produce("2.json", &[("p1", "-2", false)]);
    prices.run().unwrap();
    as_earlier_versions(&prices);
    prices.run().unwrap();
    assert_eq!(prices.number("select count(*) from gold.rejected"), 2);
    prices.produce("3.json", &[("p1", "-3", false)]);
    prices.run().unwrap();
    prices.run().unwrap();
    assert_eq!(prices.number("select count(*) from gold.rejected"), 3);
}

#[test]
fn pipelines_that_put_rows_aside_at_once_do_not_stop_each_other() {
    const WRITERS: usize = 4;
    let mut pipelines = "lake: ./lake\nsources: { clicks: { files: { path: data } } }\npipelines:\n".to_owned();
    let prices = merged(POSITIVE);
    for writer in 0..WRITERS {
        pipelines.push_str(&format!(
            "  p{writer}:\n    steps:\n      - {{ name: bronze.c{writer}, sql: bronze.sql, mode: append }}\n      \
             - {{ name: silver.s{writer}, sql: s{writer}.sql, mode: merge, key: [line], expect: [{{ not_null: [value], \
             severity: warn }}, {{ sql: e{writer}.sql, severity: quarantine }}] }}\n"
        ));
        prices.write(
            &format!("s{writer}.sql"),
            &format!("select line, value from changes('bronze.c{writer}')"),
        );
        prices.write(
            &format!("e{writer}.sql"),
            &format!("select * from silver.s{writer} where line % 2 = 0"),
        );
    }
    prices.write("pipelines.yaml", &pipelines);
    for round in 1..=3_u64 {
        prices.produce(&format!("{round}.json"), &[("p", "1", false); 10]);
        let children: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let mut command = Command::new(binary());
                command
                    .args(["run", &format!("p{writer}")])
                    .current_dir(prices.path(""));
                command.stderr(Stdio::piped()).spawn().unwrap()
            })
            .collect();
        for child in children {
            let output = child.wait_with_output().unwrap();
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(
                output.status.success() && !errors.contains("cannot record the run"),
                "{errors}"
            );
        }
        let count = "select step, count(*) from system.quarantine group by 1";
        // The rows of each round are the same, and stored once.
        let expected: Vec<String> = (0..WRITERS).map(|writer| format!("silver.s{writer},5")).collect();
        assert_eq!(prices.rows(count), expected, "round {round}");
        let runs = prices.number("select count(*) from system.runs where status = 'failed'");
        assert_eq!(runs, 0);
    }
}

#[test]
fn following_steps_that_put_rows_aside_beside_each_other_do_not_stop() {
    let steps: String = (0..3)
        .map(|step| {
            format!(
                "      - {{ name: silver.beside{step}, sql: silver.sql, mode: merge, key: [line], every: 1s, expect: \
                 [{POSITIVE}] }}\n"
            )
        })
        .collect();
    let prices = Prices::new(&format!("mode: merge, key: [line], expect: [{POSITIVE}]"), &steps);
    let project = std::fs::read_to_string(prices.path("pipelines.yaml")).unwrap();
    prices.write(
        "pipelines.yaml",
        &project.replace("  shop:\n", "  shop:\n    trigger: { every: 100ms }\n"),
    );
    let mut command = Command::new(binary());
    command.args(["run", "--follow"]).current_dir(prices.path(""));
    let mut following = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    for file in 1..=8 {
        let rejected = format!("-{file}");
        prices.produce(&format!("{file}.json"), &[("a", "1", false), ("b", &rejected, false)]);
        std::thread::sleep(Duration::from_millis(250));
    }
    let expected = 4 * 8;
    let give_up = Instant::now() + Duration::from_secs(30);
    while prices.number("select count(*) from system.quarantine") < expected && Instant::now() < give_up {
        assert!(following.try_wait().unwrap().is_none(), "it goes on");
        std::thread::sleep(Duration::from_millis(200));
    }
    signal(&following, "TERM");
    let output = following.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !errors.contains("damaged"), "{errors}");
    assert_eq!(
        prices.number("select count(*) from system.quarantine"),
        expected,
        "{errors}"
    );
}

#[test]
fn killed_at_any_commit_a_row_is_aside_once_or_still_to_be_judged() {
    for moment in ["before_commit", "after_commit", "inside_merge"] {
        let prices = merged(POSITIVE);
        for batch in 1..=2 {
            prices.produce(
                &format!("{batch}.json"),
                &[
                    ("p1", &format!("{batch}"), false),
                    ("p1", &format!("-{batch}"), false),
                    ("p2", "-9", false),
                ],
            );
            for deaths in 0.. {
                let run = Command::new(binary())
                    .arg("run")
                    .current_dir(prices.path(""))
                    .env("FAILPOINTS", format!("{moment}={deaths}*off->return"))
                    .output()
                    .unwrap();
                if run.status.success() {
                    break;
                }
                assert!(deaths < 20, "{}", String::from_utf8_lossy(&run.stderr));
            }
        }
        prices.run().unwrap();
        assert_eq!(prices.rows(TABLE), ["p1,2.0"], "{moment}");
        assert_eq!(
            ["-1.0", "-2.0", "-9.0"].map(|price| aside(&prices, price)),
            [1, 1, 1],
            "{moment}"
        );
    }
}
