//! A catalog that a shop rewrites as a whole: its newest state replaces the table.

use std::fs;
use std::time::SystemTime;

use crate::follow::wait;
use crate::support::{Shop, signal};

const PROJECT: &str = "\
lake: ./lake
sources:
  items: { files: { path: items.csv, format: csv, mode: snapshot } }
  clicks: { files: { path: clicks } }
pipelines:
  shop:
    trigger: 200ms
    steps:
      - { name: bronze.parsed, sql: parsed.sql, mode: view }
      - { name: bronze.items, sql: items.sql, mode: overwrite }
      - { name: gold.worth, sql: worth.sql, mode: overwrite }
";
const PARSED: &str = "select item['id'] as id, cast(item['price'] as bigint) as price from (select from_json(value, \
                      'id string, price string') as item from changes('items'))";
const ITEMS: &str = "select id, price from bronze.parsed";
const WORTH: &str = "select count(*) as items, sum(price) as worth from bronze.items";

fn shop() -> Shop {
    let shop = Shop::in_an_empty_folder();
    for (file, text) in [
        ("pipelines.yaml", PROJECT),
        ("parsed.sql", PARSED),
        ("items.sql", ITEMS),
        ("worth.sql", WORTH),
    ] {
        fs::write(shop.path(file), text).unwrap();
    }
    shop
}

fn write(shop: &Shop, text: &str) {
    fs::write(shop.path("items.csv"), text).unwrap();
}

/// What a run did with the catalog, and how many rows it read of it.
fn did(shop: &Shop) -> (String, u64) {
    let steps = shop.run_steps();
    let step = steps.iter().find(|step| step["step"] == "bronze.items").unwrap();
    let result = step["result"].as_str().unwrap().to_owned();
    (result, step["rows_read"].as_u64().unwrap())
}

/// The catalog in the lake, and what is made of it.
fn tables(shop: &Shop) -> [Vec<String>; 2] {
    let queries = [
        "select id, price from bronze.items order by id",
        "select * from gold.worth",
    ];
    shop.results(&[], &queries).try_into().unwrap()
}

#[test]
fn a_catalog_replaces_its_table_whenever_it_is_another_one() {
    let shop = shop();
    let rebuilt = |rows| ("rebuilt".to_owned(), rows);
    let up_to_date = ("up to date".to_owned(), 0);
    write(&shop, "id,price\n1,5\n2,6\n3,7");
    assert_eq!(did(&shop), rebuilt(3));
    assert_eq!(tables(&shop), [vec!["1,5", "2,6", "3,7"], vec!["3,18"]]);
    let file = fs::File::options().write(true).open(shop.path("items.csv")).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(did(&shop), up_to_date, "touched");

    write(&shop, "id,price\n1,5\n2,8\n");
    let plan = shop.ok(&["plan"]);
    assert!(plan.contains("build: a snapshot has changed, 2 rows waiting"), "{plan}");
    assert_eq!(did(&shop), rebuilt(2));
    let second = [vec!["1,5", "2,8"], vec!["2,13"]];
    assert_eq!(tables(&shop), second);

    // A half catalog replaces nothing, whatever else has changed.
    write(&shop, "id,price\n1,5\n2,\"8");
    shop.edit("items.sql", "select id", "select  upper(id) as id");
    let run = shop.run(&["run"]);
    let told = String::from_utf8(run.stderr).unwrap();
    assert!(run.status.success(), "{told}");
    assert!(told.contains("items.csv: its last record is unterminated"), "{told}");
    shop.edit("items.sql", "select  upper(id) as id", "select id");
    fs::remove_file(shop.path("items.csv")).unwrap();
    let run = shop.run(&["run"]);
    let told = String::from_utf8(run.stderr).unwrap();
    assert!(!run.status.success() && told.contains("items.csv"), "{told}");
    assert_eq!(tables(&shop), second);

    write(&shop, "id,price\n4,9\n");
    assert_eq!(did(&shop), rebuilt(1));
    assert_eq!(tables(&shop), [vec!["4,9"], vec!["1,9"]]);
    write(&shop, "id,price\n");
    let run = shop.run(&["run"]);
    let told = String::from_utf8(run.stderr).unwrap();
    assert!(run.status.success() && told.contains("has no records"), "{told}");
    let [items, shown, read] = shop.numbers([
        "select count(*) from bronze.items",
        "select count(*) from changes('items')",
        "select sum(rows_read) from system.runs where step = 'bronze.items'",
    ]);
    assert_eq!((items, shown, read), (0, 0, 3 + 2 + 1));
}

#[test]
fn following_finds_another_catalog() {
    let shop = shop();
    let is_written = |version: u32| {
        shop.path(&format!("lake/gold/worth/_delta_log/{version:020}.json"))
            .exists()
    };
    write(&shop, "id,price\n1,5\n2,6\n");
    let mut following = shop.start(&["run", "--follow"]);
    wait(&shop, "first catalog", || is_written(0));
    write(&shop, "id,price\n2,7\n");
    wait(&shop, "second catalog", || is_written(1));
    signal(&following, "TERM");
    assert!(following.wait().unwrap().success());
    assert_eq!(tables(&shop), [vec!["2,7"], vec!["1,7"]]);
}

#[test]
fn a_step_that_would_add_a_snapshot_or_keep_half_of_it_is_refused() {
    let shop = shop();
    fs::create_dir(shop.path("clicks")).unwrap();
    write(&shop, "id,price\n1,5\n");
    let (mode, view) = ("items.sql, mode: overwrite", "from bronze.parsed");
    for (file, from, to, expected) in [
        (
            "pipelines.yaml",
            mode,
            "items.sql, mode: append",
            "with mode `append` would keep rows",
        ),
        (
            "pipelines.yaml",
            mode,
            "items.sql, mode: merge, key: [id]",
            "with mode `merge` would keep rows",
        ),
        (
            "items.sql",
            view,
            "from changes('clicks')",
            "would keep nothing but the newest changes",
        ),
        (
            "items.sql",
            view,
            "from bronze.parsed union all select topic, 1 from changes('clicks')",
            "changes('clicks') only what is new",
        ),
    ] {
        let whole = fs::read_to_string(shop.path(file)).unwrap();
        shop.edit(file, from, to);
        let (code, error) = shop.fails(&["plan"]);
        assert!(code == 2 && error.contains("items.sql:1:"), "{to}: {error}");
        assert!(error.contains(expected), "{to}: {error}");
        fs::write(shop.path(file), whole).unwrap();
    }
    shop.ok(&["plan"]);
}
