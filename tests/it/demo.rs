//! The project that a demo leaves behind.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::support::Shop;

fn run_in(shop: &Shop, folder: &Path, args: &[&str]) -> String {
    let Output { status, stdout, stderr } = shop.command(args).current_dir(folder).output().unwrap();
    assert!(status.success(), "{args:?}: {}", String::from_utf8_lossy(&stderr));
    assert!(
        !String::from_utf8_lossy(&stderr).contains("WARN"),
        "{args:?}: {}",
        String::from_utf8_lossy(&stderr)
    );
    String::from_utf8(stdout).unwrap()
}

fn number(shop: &Shop, folder: &Path, sql: &str) -> i64 {
    let rows = run_in(shop, folder, &["sql", "--format", "csv", "-c", sql]);
    rows.lines().nth(1).and_then(|row| row.parse().ok()).unwrap()
}

#[test]
fn a_kept_project_goes_on_from_what_the_demo_read() {
    let shop = Shop::new();
    let output = shop.run(&["demo", "--events", "2000", "--lake", "kept"]);
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success() && log.contains("are kept in kept") && log.contains("kept/sample_data"),
        "{log}"
    );
    let folder = shop.path("kept");
    let files = fs::read_dir(folder.join("sample_data")).unwrap();
    let mut files: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(
        files,
        [".gitkeep", "_catalog"],
        "the folder of its source stays in a repository, with the shop's catalog"
    );

    let records = "select count(*) from bronze.clicks";
    let steps = run_in(&shop, &folder, &["run", "--json"]);
    assert!(
        !steps.contains("\"new rows\"") && !steps.contains("\"rebuilt\""),
        "nothing is new: {steps}"
    );
    assert_eq!(number(&shop, &folder, records), 2_000);

    run_in(
        &shop,
        &folder,
        &[
            "produce",
            "--to",
            "sample_data/more.json",
            "--events",
            "300",
            "--seed",
            "7",
        ],
    );
    run_in(&shop, &folder, &["run"]);
    assert_eq!(number(&shop, &folder, records), 2_300);
    let of_files = format!("{records} where topic = 'sample_data/more.json'");
    assert_eq!(number(&shop, &folder, &of_files), 300);
}
