//! `clickrec evaluate`: figures that can be checked by hand, and a split by time that keeps both sides apart.

use std::fs;

use serde_json::{Value, json};

use crate::support::Shop;

fn evaluated(shop: &Shop, args: &[&str]) -> Value {
    let args: Vec<&str> = ["evaluate", "--json"].iter().chain(args).copied().collect();
    serde_json::from_str(&shop.ok(&args)).unwrap()
}

fn figure(report: &Value, model: &str, seen: bool, metric: &str, k: u64) -> f64 {
    let rows = report["figures"].as_array().unwrap();
    let row = rows.iter().find(|row| {
        row["model"] == model && row["seen"] == seen && row["metric"] == metric && row["k"].as_u64() == Some(k)
    });
    row.unwrap_or_else(|| panic!("no {metric}@{k} of {model}"))["value"]
        .as_f64()
        .unwrap()
}

/// Three of four training sessions go from a to b, the fourth goes from c to d.
fn files(shop: &Shop) {
    let train = "session_id,position,item_id\n1,1,a\n1,2,b\n2,1,a\n2,2,b\n3,1,a\n3,2,b\n4,1,c\n4,2,d\n";
    fs::write(shop.path("train.csv"), train).unwrap();
    // Correct, wrong (d does not follow a), and an item that training has not seen.
    fs::write(shop.path("test.csv"), "test_id,prefix,target\n1,a,b\n2,c a,d\n3,a,x\n").unwrap();
}

#[test]
fn figures_of_a_small_file_agree_with_a_computation_by_hand() {
    let shop = Shop::new();
    files(&shop);
    let report = evaluated(&shop, &["--train", "train.csv", "--test", "test.csv", "--k", "1,3"]);
    assert_eq!(
        (report["train_sessions"].as_u64(), report["cases"].as_u64()),
        (Some(4), Some(3))
    );
    let close = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
    // a and b are in three sessions each: b is never alone at rank 1, because a ties with it. d ties with c: rank 4.
    close(figure(&report, "popularity", true, "HR", 1), 0.0);
    close(figure(&report, "popularity", true, "HR", 3), 1.0 / 3.0);
    close(figure(&report, "popularity", true, "MRR", 3), 1.0 / 6.0);
    // a is always followed by b.
    close(figure(&report, "item_transitions", true, "HR", 1), 1.0 / 3.0);
    close(figure(&report, "item_transitions", true, "coverage", 1), 0.25);
    // Neighbors use the whole session: c leads to d as well.
    close(figure(&report, "session_knn", false, "HR", 3), 2.0 / 3.0);
    assert!(figure(&report, "blend", false, "HR", 3) >= 2.0 / 3.0);
    let kept = shop.number("select count(distinct model) from system.evaluations where metric = 'MRR' and k = 3");
    assert_eq!(kept, 5);
}

#[test]
fn positions_order_the_clicks_of_a_list_and_a_row_without_a_target_is_no_case() {
    let shop = Shop::new();
    files(&shop);
    let session = |id: u32, first: &str, second: &str| {
        let events = json!([{"sku": second, "pos": 2}, {"sku": first, "pos": 1}]);
        format!("{}\n", json!({"sid": id, "events": events}))
    };
    let sessions = [(1, "a", "b"), (2, "a", "b"), (3, "a", "b"), (4, "c", "d")];
    let train: String = sessions.map(|(id, first, second)| session(id, first, second)).concat();
    fs::write(shop.path("train.jsonl"), train).unwrap();
    fs::write(
        shop.path("test.csv"),
        "test_id,prefix,target\n1,a,b\n2,c a,d\n3,a,x\n4,a b,\n",
    )
    .unwrap();
    let report = evaluated(&shop, &["--train", "train.jsonl", "--test", "test.csv", "--k", "1"]);
    assert_eq!(report["cases"].as_u64(), Some(3));
    let found = figure(&report, "item_transitions", true, "HR", 1);
    assert!((found - 1.0 / 3.0).abs() < 1e-9, "a is always followed by b: {found}");
}

#[test]
fn clicks_with_times_are_revealed_step_by_step() {
    let shop = Shop::new();
    files(&shop);
    // Seconds, milliseconds and text; the lines of a click file may be in any order.
    for (name, times) in [
        ("s", ["100", "101", "102"]),
        ("ms", ["1400000000000", "1400000001000", "1400000002000"]),
    ] {
        let [first, second, third] = times;
        let text = format!("SessionId\tTime\tItemId\n9\t{second}\tb\n9\t{first}\ta\n9\t{third}\ta\n");
        let file = format!("test_{name}.txt");
        fs::write(shop.path(&file), text).unwrap();
        let report = evaluated(
            &shop,
            &[
                "--train",
                "train.csv",
                "--test",
                &file,
                "--model",
                "item_transitions",
                "--k",
                "1",
            ],
        );
        assert_eq!(report["cases"].as_u64(), Some(2), "a, then a b");
        assert_eq!(
            figure(&report, "item_transitions", true, "HR", 1),
            0.5,
            "b follows a; nothing follows b"
        );
    }
}

#[test]
fn the_lake_is_cut_in_time_and_the_grid_never_sees_the_test() {
    let shop = crate::recommender::shop();
    let before = shop.number("select count(*) from (select distinct session_id from silver.events)");
    let report = evaluated(&shop, &["--k", "10", "--grid", "als=0,0.1", "--judge", "HR"]);
    let (train, test) = (
        report["train_sessions"].as_i64().unwrap(),
        report["test_sessions"].as_i64().unwrap(),
    );
    assert!(
        test > 0 && train > 4 * test && train + test <= before,
        "{train} and {test} of {before}"
    );
    let tried = report["tried"].as_array().unwrap();
    assert_eq!(tried.len(), 2);
    let best = tried
        .iter()
        .map(|tried| tried["score"].as_f64().unwrap())
        .fold(0.0, f64::max);
    let chosen = tried
        .iter()
        .find(|tried| tried["variables"] == report["variables"])
        .unwrap();
    assert_eq!(chosen["score"].as_f64(), Some(best));
    let hit_rate = |model| figure(&report, model, true, "HR", 10);
    assert!(
        hit_rate("popularity") < hit_rate("als") && hit_rate("popularity") < hit_rate("blend"),
        "{report}"
    );
    for row in report["figures"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| !row["low"].is_null())
    {
        let number = |name: &str| row[name].as_f64().unwrap();
        assert!(
            number("low") <= number("value") && number("value") <= number("high"),
            "{row}"
        );
    }
    // Training uses another lake: this one is unchanged, except for the figures.
    shop.ok(&["run"]);
    assert_eq!(
        shop.number("select count(*) from (select distinct session_id from silver.events)"),
        before
    );
}

/// Ten sessions with three clicks each, a day apart; `first` is the number of the first one.
fn timed_sessions(first: u32) -> String {
    let mut lines = "session_id,timestamp,item_id\n".to_owned();
    for number in first..first + 10 {
        for (click, item) in ["a", "b", "c"].iter().enumerate() {
            lines += &format!(
                "s{number},{},{item}\n",
                1_750_000_000 + 86_400 * number as usize + 60 * click
            );
        }
    }
    lines
}

#[test]
fn a_test_set_that_was_learned_from_is_refused() {
    use std::io::Write;

    let shop = Shop::new();
    let train = timed_sessions(0);
    fs::write(shop.path("train.csv"), &train).unwrap();
    let packed = fs::File::create(shop.path("copy.csv.gz")).unwrap();
    let mut packed = flate2::write::GzEncoder::new(packed, flate2::Compression::fast());
    packed.write_all(train.as_bytes()).unwrap();
    packed.finish().unwrap();
    fs::write(shop.path("renamed.csv"), train.replace("\ns", "\nother")).unwrap();
    fs::write(shop.path("overlapping.tsv"), timed_sessions(8).replace(',', "\t")).unwrap();
    fs::write(shop.path("positions.csv"), train.replace("timestamp", "position")).unwrap();
    for (train, test, expected) in [
        (
            "train.csv",
            "train.csv",
            "train.csv also contains 10 of the 10 sessions in train.csv (for example s0, s1, s2)",
        ),
        (
            "train.csv",
            "copy.csv.gz",
            "train.csv also contains 10 of the 10 sessions in copy.csv.gz",
        ),
        ("train.csv", "renamed.csv", "10 of the 10 sessions"),
        (
            "train.csv",
            "overlapping.tsv",
            "train.csv also contains 2 of the 10 sessions in overlapping.tsv (for example s8, s9)",
        ),
        ("positions.csv", "positions.csv", "10 of the 10 sessions"),
        ("train.csv", "positions.csv", "10 of the 10 sessions"),
    ] {
        let (code, error) = shop.fails(&["evaluate", "--train", train, "--test", test]);
        let is_refused =
            code == 1 && error.contains(expected) && error.contains("help: split the events at a point in time");
        assert!(is_refused, "{train} and {test}: {error}");
    }

    fs::write(shop.path("later.csv"), timed_sessions(10)).unwrap();
    let report = evaluated(
        &shop,
        &[
            "--train",
            "train.csv",
            "--test",
            "later.csv",
            "--model",
            "popularity",
            "--k",
            "1",
        ],
    );
    assert_eq!(
        report["test_sessions"].as_u64(),
        Some(10),
        "the same items at other times"
    );
}

#[test]
fn one_event_of_a_wrong_clock_does_not_move_the_last_days() {
    let shop = Shop::new();
    let mut lines = String::new();
    for (number, day) in (1..=28).flat_map(|day| (0..5).map(move |number| (number, day))) {
        for minute in 0..3 {
            lines += &format!(
                r#"{{"timestamp":"2015-02-{day:02}T10:{minute:02}:00Z","session_id":"s{day}-{number}","item_id":"i{}","event_type":"view"}}"#,
                (day + number + minute) % 9
            );
            lines.push('\n');
        }
    }
    fs::write(shop.path("sample_data/1.json"), &lines).unwrap();
    let run = ["run", "--select", "bronze.*,silver.*"];
    shop.ok(&run);
    let args = ["--test-days", "1", "--model", "popularity", "--k", "1"];
    let before = evaluated(&shop, &args);
    assert_eq!(before["test_sessions"].as_u64(), Some(5), "those of the last day");

    let now = chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ");
    let odd = format!(r#"{{"timestamp":"{now}","session_id":"odd","item_id":"i1","event_type":"view"}}"#);
    fs::write(shop.path("sample_data/2.json"), odd + "\n").unwrap();
    shop.ok(&run);
    assert_eq!(
        shop.number("select count(*) from silver.events where session_id = 'odd'"),
        1
    );
    let output = shop
        .command(&[&["evaluate", "--json"], &args[..]].concat())
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && log.contains("1 of the sessions ended after 2015-02-28"),
        "{log}"
    );
    let after: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(after["data"], before["data"], "time is cut where it was");
    assert_eq!(after["test_sessions"].as_u64(), Some(5));
}

#[test]
fn what_cannot_be_evaluated_says_why() {
    let shop = Shop::new();
    files(&shop);
    fs::write(shop.path("odd.csv"), "a,b\n1,2\n").unwrap();
    for (args, expected) in [
        (&["evaluate"][..], "has no sessions"),
        (
            &["evaluate", "--train", "odd.csv", "--test", "test.csv"],
            "no field looks like the session or the user\n  help: name the field, as in --field session=FIELD; the fields \
             are a, b",
        ),
        (
            &["evaluate", "--train", "nowhere.csv", "--test", "test.csv"],
            "nowhere.csv",
        ),
        (
            &[
                "evaluate",
                "--train",
                "train.csv",
                "--test",
                "test.csv",
                "--model",
                "best",
            ],
            "there is no model `best`",
        ),
        (
            &[
                "evaluate",
                "--train",
                "train.csv",
                "--test",
                "test.csv",
                "--grid",
                "alpa=1,2",
            ],
            "the project's SQL does not use var('alpa', …)",
        ),
    ] {
        let (code, error) = shop.fails(args);
        let usage = args.iter().any(|arg| ["--model", "--grid"].contains(arg));
        let expected_code = if usage { 2 } else { 1 };
        assert!(code == expected_code && error.contains(expected), "{args:?}: {error}");
    }
    for args in [
        &["evaluate", "--train", "train.csv"][..],
        &[
            "evaluate",
            "--data",
            "train.csv",
            "--train",
            "train.csv",
            "--test",
            "test.csv",
        ],
        &["evaluate", "--field", "item=sku"],
        &["evaluate", "--data", "train.csv", "--field", "article=sku"],
        &["evaluate", "--judge", "luck"],
        &["evaluate", "--test-days", "0"],
        &["evaluate", "--grid", "x"],
    ] {
        assert_eq!(shop.fails(args).0, 2, "{args:?}");
    }
}
