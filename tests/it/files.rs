//! Files as they occur in practice: a single file, other extensions, rotated and compressed logs, replaced files, old
//! times.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use crate::support::{Shop, signal};

/// Unique events.
fn events(from: usize, to: usize) -> String {
    let event = |n| {
        format!(
            "{{\"timestamp\":\"2026-03-01T10:{:02}:{:02}Z\",\"session_id\":\"s1\",\"item_id\":\"item{n}\",\
             \"event_type\":\"view\"}}\n",
            n / 60,
            n % 60
        )
    };
    (from..=to).map(event).collect()
}

fn shop_of(path: &str) -> Shop {
    let shop = Shop::up_to_silver();
    shop.edit(
        "pipelines.yaml",
        "files: { path: sample_data,",
        &format!("files: {{ path: \"{path}\","),
    );
    shop
}

fn write(shop: &Shop, name: &str, text: &str) {
    fs::write(shop.path("sample_data").join(name), text).unwrap();
}

fn in_folder(shop: &Shop, script: &str) {
    let done = Command::new("sh")
        .args(["-ec", script])
        .current_dir(shop.path("sample_data"))
        .status();
    assert!(done.unwrap().success(), "{script}");
}

/// Runs only the step that reads files.
const BRONZE: [&str; 3] = ["run", "--select", "bronze.clicks"];

fn bronze(shop: &Shop) -> i64 {
    shop.number("select count(*) from bronze.clicks")
}

#[test]
fn the_format_decides_which_files_of_a_folder_are_read_and_which_last_lines_are_complete() {
    let shop = Shop::up_to_silver();
    shop.edit(
        "pipelines.yaml",
        "path: sample_data, format: ndjson",
        "path: logs, format: text",
    );
    fs::create_dir(shop.path("logs")).unwrap();
    let log = shop.path("logs/a.log");
    let lines = events(1, 3);
    fs::write(&log, lines.trim_end()).unwrap();
    fs::write(shop.path("logs/a.json"), events(4, 9)).unwrap();
    shop.ok(&BRONZE);
    assert_eq!(bronze(&shop), 2, "the last line may go on");
    fs::write(&log, &lines).unwrap();
    shop.ok(&BRONZE);
    assert_eq!(bronze(&shop), 3);
    shop.edit("pipelines.yaml", "format: text", "format: xml");
    let (_, error) = shop.fails(&BRONZE);
    assert!(
        error.contains("unknown format `xml`") && error.contains("the formats are"),
        "{error}"
    );
}

#[test]
fn one_file_is_read_however_its_path_is_written() {
    let absolute = |shop: &Shop| shop.path("sample_data/a.json").display().to_string();
    for path in [
        "sample_data/a.json",
        "./sample_data/a.json",
        "ABSOLUTE",
        "sample_data/my [1] 100% ü.txt",
    ] {
        let shop = shop_of(path);
        if path == "ABSOLUTE" {
            shop.edit("pipelines.yaml", path, &absolute(&shop));
        }
        let name = if path.ends_with("txt") {
            "my [1] 100% ü.txt"
        } else {
            "a.json"
        };
        write(&shop, name, &events(1, 3));
        write(&shop, "other.json", &events(4, 9));
        shop.ok(&BRONZE);
        assert_eq!(bronze(&shop), 3, "{path}");
        in_folder(&shop, &format!("gzip -c '{name}' > x && mv x '{name}'"));
        shop.ok(&BRONZE);
        assert_eq!(bronze(&shop), 3, "{path}, compressed under the same name");
    }
}

#[test]
fn a_path_that_reads_nothing_says_so() {
    let shop = shop_of("sample_data/clicks.json");
    let (code, error) = shop.fails(&BRONZE);
    assert_eq!(code, 1);
    assert!(
        error.contains("no such folder or file") && error.contains("help:"),
        "{error}"
    );
    let shop = shop_of("nowhere/*.json");
    let (_, error) = shop.fails(&BRONZE);
    assert!(error.contains("no such folder"), "{error}");

    let warns = |shop: &Shop| {
        let run = shop.run(&BRONZE);
        assert!(run.status.success());
        String::from_utf8(run.stderr).unwrap()
    };
    let shop = shop_of("sample_data/*.jsn");
    write(&shop, "a.json", &events(1, 1));
    let errors = warns(&shop);
    assert!(
        errors.contains("no file matches") && errors.contains("a.json"),
        "{errors}"
    );
    let shop = Shop::up_to_silver();
    assert!(!warns(&shop).contains("WARN"), "an empty folder is fine");
    write(&shop, "a.csv", "1,2\n");
    write(&shop, "b.parquet", "PAR1");
    let errors = warns(&shop);
    assert!(errors.contains("a.csv") && errors.contains(".ndjson"), "{errors}");
    assert_eq!(errors.matches("a.csv").count(), 1, "{errors}");
    write(&shop, "B.JSON", &events(1, 1));
    assert!(!warns(&shop).contains("WARN"));
    assert_eq!(bronze(&shop), 1);
}

#[test]
fn a_log_that_is_rotated_and_compressed_is_in_the_lake_once() {
    let shop = Shop::up_to_silver();
    write(&shop, "clicks.json", &events(1, 10));
    shop.ok(&["run"]);
    in_folder(&shop, "mv clicks.json clicks-1.json");
    write(&shop, "clicks.json", &events(11, 15));
    shop.ok(&["run"]);
    shop.assert_nothing_lost(15);
    in_folder(&shop, "gzip clicks-1.json");
    shop.ok(&["run"]);
    shop.assert_nothing_lost(15);
    in_folder(&shop, "cp clicks.json clicks.json.1; : > clicks.json");
    shop.ok(&["run"]);
    // The rotated file disappears before the new one has any content.
    in_folder(&shop, "rm clicks.json.1");
    write(&shop, "clicks.json", &events(16, 40));
    shop.ok(&["run"]);
    shop.assert_nothing_lost(40);
    assert_eq!(shop.number("select count(distinct value) from bronze.clicks"), 40);
}

#[test]
fn a_file_that_was_replaced_is_refused_or_read_as_new_where_that_is_accepted() {
    let shop = Shop::up_to_silver();
    write(&shop, "a.json", &events(1, 30));
    shop.ok(&["run"]);
    in_folder(&shop, "sed -i s/s1/s2/ a.json");
    let (code, error) = shop.fails(&["run"]);
    assert_eq!(code, 1);
    assert!(
        error.contains("sample_data/a.json") && error.contains("replaced") && error.contains("--accept-loss"),
        "{error}"
    );
    assert_eq!(bronze(&shop), 30);
    shop.ok(&["run", "--accept-loss"]);
    shop.ok(&["run"]);
    shop.assert_nothing_lost(60);
    // Truncated, with nothing new: a loss has to be accepted only once.
    in_folder(&shop, ": > a.json");
    shop.fails(&["run"]);
    shop.ok(&["run", "--accept-loss"]);
    shop.ok(&["run"]);
    write(&shop, "a.json", &events(31, 32));
    shop.ok(&["run"]);
    shop.assert_nothing_lost(62);
}

#[test]
fn a_file_of_long_ago_is_accepted() {
    let shop = Shop::up_to_silver();
    write(&shop, "a.json", &events(1, 5));
    in_folder(&shop, "touch -d 2001-01-01 a.json");
    shop.ok(&["run"]);
    assert_eq!(shop.number("select count(*) from silver.events"), 5);
}

#[test]
fn what_is_left_of_a_last_line_is_told_once_it_is_old() {
    let shop = Shop::up_to_silver();
    write(&shop, "a.json", &format!("{}no line break", events(1, 2)));
    let run = shop.run(&BRONZE);
    assert!(
        !String::from_utf8(run.stderr).unwrap().contains("line break"),
        "it is being written"
    );
    let old = SystemTime::now() - Duration::from_secs(600);
    fs::File::options()
        .write(true)
        .open(shop.path("sample_data/a.json"))
        .and_then(|file| file.set_modified(old))
        .unwrap();
    for _ in 0..2 {
        let errors = String::from_utf8(shop.run(&BRONZE).stderr).unwrap();
        assert!(
            errors.contains("a.json") && errors.contains("no line break"),
            "{errors}"
        );
    }
    in_folder(&shop, "gzip a.json");
    shop.ok(&BRONZE);
    assert_eq!(bronze(&shop), 3, "nothing is added to a compressed file");
}

#[test]
fn a_follower_goes_on_over_rotations() {
    let shop = Shop::up_to_silver();
    shop.edit("pipelines.yaml", "every: 10s", "every: 200ms");
    write(&shop, "clicks.json", &events(1, 10));
    let mut follower = shop.start(&["run", "--follow", "--select", "bronze.clicks"]);
    let reach = |expected: i64| {
        let started = Instant::now();
        loop {
            let counted = shop.run(&["sql", "--format", "csv", "-c", "select count(*) from bronze.clicks"]);
            let counted = String::from_utf8(counted.stdout).unwrap();
            let count = counted.lines().nth(1).and_then(|count| count.parse::<i64>().ok());
            if count >= Some(expected) {
                break;
            }
            assert!(started.elapsed() < Duration::from_secs(60), "{expected}");
            std::thread::sleep(Duration::from_millis(200));
        }
    };
    reach(10);
    for round in 1..4 {
        in_folder(&shop, &format!("mv clicks.json clicks-{round}.json"));
        write(&shop, "clicks.json", &events(10 * round + 1, 10 * round + 10));
        reach(10 * i64::try_from(round).unwrap() + 10);
        in_folder(&shop, &format!("gzip clicks-{round}.json"));
    }
    signal(&follower, "TERM");
    assert!(follower.wait().unwrap().success());
    shop.ok(&["run"]);
    shop.assert_nothing_lost(40);
}
