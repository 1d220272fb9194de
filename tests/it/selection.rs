//! Which steps a run selects, and what it reports about them.

use serde_json::Value;

use crate::support::Shop;

fn steps(shop: &Shop, args: &[&str]) -> Vec<String> {
    let lines = shop.ok(&[&["run", "--json"], args].concat());
    let events = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let steps = events.filter(|event| event["event"] == "step");
    steps.map(|step| step["step"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn steps_are_selected_by_name_layer_and_what_reads_what() {
    let shop = Shop::new();
    shop.produce("1.json", 500, 1, 0.0);
    assert_eq!(
        steps(&shop, &["--select", "+gold.sessions"]),
        ["bronze.clicks", "silver.events", "silver.people", "gold.sessions"]
    );
    assert_eq!(
        steps(&shop, &["--select", "silver.*"]),
        [
            "silver.events",
            "silver.people",
            "silver.quarantine",
            "silver.reconciliation"
        ]
    );
    assert_eq!(
        steps(&shop, &["--select", "gold.als_factors+", "--exclude", "gold.model"]),
        ["gold.als_factors", "gold.recommendations"]
    );
    let without_gold = steps(&shop, &["--exclude", "gold.*"]);
    assert_eq!(
        without_gold,
        [
            "bronze.clicks",
            "silver.events",
            "silver.people",
            "silver.quarantine",
            "silver.reconciliation"
        ]
    );
    let (code, error) = shop.fails(&["run", "--exclude", "gold.session"]);
    assert_eq!(code, 2);
    assert!(error.contains("there is no step `gold.session`"), "{error}");
}

#[test]
fn each_run_is_a_line_of_json_a_step_and_rows_of_a_table() {
    let shop = Shop::new();
    shop.produce("1.json", 500, 1, 0.0);
    let lines = shop.ok(&["run", "--json"]);
    let last: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    let count = lines.lines().count() as u64 - 1;
    let records =
        serde_json::json!({ "read": 500, "accepted": 500, "repeated": 0, "quarantined": 0, "conflicting": 0 });
    assert_eq!(
        last,
        serde_json::json!({ "event": "run", "ok": count, "failed": 0, "skipped": 0, "records": records })
    );
    let written = "select rows_written, version from system.runs where step = 'bronze.clicks'";
    assert_eq!(shop.rows(written), ["500,0"]);
    shop.ok(&["run"]);
    assert_eq!(
        shop.rows("select count(distinct run_id), count(*) from system.runs"),
        [format!("1,{count}")],
        "a run that finds nothing to do leaves no trace"
    );
    shop.produce("2.json", 100, 2, 0.0);
    shop.ok(&["run", "--select", "bronze.clicks"]);
    assert_eq!(
        shop.rows("select step, status, rows_written from system.runs order by started_at desc limit 1"),
        ["bronze.clicks,new rows,100"]
    );
}

#[test]
fn a_failed_step_stops_those_that_read_it_and_no_other() {
    let shop = Shop::new();
    shop.produce("1.json", 500, 1, 0.0);
    shop.edit(
        "sql/gold/engagement.sql",
        "    count(*) as sessions,",
        "    count(*) as sessions, 1 / (count(*) - count(*)) as broken,",
    );
    let output = shop.run(&["run", "--exclude", "gold.recommendations"]);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.contains("gold.engagement        FAIL") && told.contains("Divide by zero"),
        "{told}"
    );
    assert!(told.contains(", 1 failed, 0 skipped"), "{told}");
    assert!(shop.number("select count(*) from gold.als_factors") > 0);
}
