//! The command line's contract: results on standard output, everything else on standard error, exit codes.

use std::fs;

use vt100::Color;

use crate::support::Shop;
use crate::terminal::Terminal;

#[test]
fn init_never_overwrites() {
    let shop = Shop::new();
    let (code, error) = shop.fails(&["init", "."]);
    assert!(code == 1 && error.contains("pipelines.yaml already exists"), "{error}");
}

#[test]
fn usage_errors_exit_with_two() {
    let shop = Shop::new();
    for args in [
        &["run", "--no-such-option"][..],
        &["produce", "--events", "0"],
        &["produce", "--dirty", "2"],
        &["produce", "--create-topic", "0"],
        &["produce", "--to", "-", "--create-topic", "3"],
        &["recommend"],
        &["recommend", "--session", "a", "--items", "b"],
        &["history", "NoTable"],
        &["run", "--target", "nowhere"],
        &["run", "--config", "nowhere.yaml"],
        &["run", "nowhere"],
    ] {
        assert_eq!(shop.fails(args).0, 2, "{args:?}");
    }
}

#[test]
fn produce_writes_the_same_bytes_for_a_seed_and_keeps_files() {
    let shop = Shop::new();
    let out = shop.ok(&["produce", "--to", "-", "--events", "50"]);
    assert_eq!(out.lines().count(), 50);
    assert_eq!(out, shop.ok(&["produce", "--to", "-", "--events", "50"]));
    let args = [
        "produce", "--to", "-", "--events", "50", "--items", "300", "--seed", "7", "--dirty", "0.1",
    ];
    let own = shop.run(&args).stdout;
    shop.produce("tests.json", 50, 7, 0.1);
    let of_tests = fs::read(shop.path("sample_data/tests.json")).unwrap();
    assert!(own == of_tests, "the tests simulate as the command does");
    shop.produce("1.json", 10, 1, 0.0);
    let (code, error) = shop.fails(&["produce", "--to", "sample_data/1.json", "--events", "5"]);
    assert!(code == 1 && error.contains("--append"), "{error}");
    shop.ok(&["produce", "--to", "sample_data/1.json", "--events", "5", "--append"]);
    assert_eq!(
        fs::read_to_string(shop.path("sample_data/1.json"))
            .unwrap()
            .lines()
            .count(),
        15
    );
    let (code, error) = shop.fails(&["produce"]);
    assert!(
        code == 1 && error.contains("no Kafka source") && error.contains("--to FILE"),
        "{error}"
    );
}

#[test]
fn logs_have_colors_unless_they_are_not_wanted() {
    let shop = Shop::up_to_silver();
    fs::write(shop.path("sample_data/utf16.json"), b"\xff\xfe{\0}\0\n\0").unwrap();
    let environments: [(&[(&str, &str)], Color); 2] = [(&[], Color::Idx(3)), (&[("NO_COLOR", "1")], Color::Default)];
    for (environment, color) in environments {
        let terminal = Terminal::start_with(&shop, &["plan"], environment);
        terminal.wait("WARN");
        assert_eq!(terminal.color_of("WARN").0, color, "{environment:?}");
        assert_eq!(terminal.exit_code(), Some(0));
    }
}

#[test]
fn recommendations_and_neighbors_are_served() {
    let shop = crate::recommender::shop();
    let of_session = shop.ok(&["recommend", "--session", "sess_5", "-k", "3", "--json"]);
    let found: serde_json::Value = serde_json::from_str(&of_session).unwrap();
    let listed =
        shop.rows("select item_id from gold.recommendations where session_id = 'sess_5' and rank <= 3 order by rank");
    let items: Vec<&str> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["item_id"].as_str().unwrap())
        .collect();
    assert_eq!(items, listed, "what the table holds is what the command gives");

    let of_items = shop.ok(&["recommend", "--items", "prod_1,prod_21", "--k", "4"]);
    assert_eq!(of_items.matches("prod_").count(), 4, "{of_items}");
    assert!(!of_items.contains("prod_1 "), "seen items are left out: {of_items}");
    assert!(
        shop.ok(&["recommend", "--items", "prod_1", "-k", "300", "--include-seen"])
            .contains("prod_1 ")
    );

    let similar: serde_json::Value =
        serde_json::from_str(&shop.ok(&["similar", "prod_1", "--k", "5", "--json"])).unwrap();
    let similar = similar.as_array().unwrap();
    assert_eq!(similar.len(), 5);
    // 300 items in 20 categories: item n is in category n mod 20.
    let same = similar
        .iter()
        .filter(|row| row["item_id"].as_str().unwrap()[5..].parse::<u32>().unwrap() % 20 == 1);
    assert!(same.count() >= 4, "{similar:?}");

    for (args, expected) in [
        (&["recommend", "--session", "nobody"][..], "no session `nobody`"),
        (&["similar", "nothing"], "the model has no item 'nothing'"),
        (&["history", "gold.nothing"], "no table `gold.nothing`"),
        (&["sql", "-c", "create table x as select 1"], "DDL not supported"),
    ] {
        let (code, error) = shop.fails(args);
        assert!(code == 1 && error.contains(expected), "{error}");
    }
}

#[test]
fn history_and_plan_print_what_they_say() {
    let shop = Shop::up_to_silver();
    shop.produce("1.json", 500, 1, 0.0);
    let plan: serde_json::Value = serde_json::from_str(&shop.ok(&["plan", "--json"])).unwrap();
    let first = &plan[0];
    assert_eq!(
        (first["step"].as_str(), first["rows_waiting"].as_u64()),
        (Some("bronze.clicks"), Some(500))
    );
    assert_eq!(first["reads"][0], "changes('clicks')");
    assert!(
        !shop.path("lake/bronze/clicks/_delta_log").exists(),
        "a plan writes nothing"
    );
    shop.ok(&["run"]);
    shop.produce("2.json", 500, 2, 0.0);
    shop.ok(&["run"]);
    let history: serde_json::Value = serde_json::from_str(&shop.ok(&["history", "silver.events", "--json"])).unwrap();
    let versions: Vec<(u64, &str)> = history
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["version"].as_u64().unwrap(), row["mode"].as_str().unwrap()))
        .collect();
    assert_eq!(versions, [(1, "merge"), (0, "overwrite")]);
}

#[test]
fn the_memory_limit_is_an_error_with_the_estimate_before_the_work() {
    let shop = Shop::new();
    shop.produce("1.json", 20_000, 1, 0.0);
    shop.ok(&["run", "--select", "bronze.clicks,silver.events,gold.session_items"]);
    let (code, error) = shop.fails(&["run", "--select", "gold.als_factors", "--memory", "2MB"]);
    assert!(
        code == 1 && error.contains("als_train") && !error.contains("panicked"),
        "{error}"
    );
    shop.ok(&["run", "--select", "gold.als_factors"]);
}
