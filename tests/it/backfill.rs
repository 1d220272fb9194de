//! Rows that are older than their step's SQL, computed again day by day (`on_change: backfill`, `--backfill`), in the shop
//! of `tests/it/forward.rs`.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::sync::OnceLock;

use crate::follow::wait;
use crate::forward::{COMPUTED, ITEMS, KEPT, WITH_COUNT, assert_all_are_computed, deliver, history, result, shop};
use crate::saved::Saved;
use crate::support::{Shop, signal};

/// The same, gone forward to SQL with a further column.
fn gone_forward() -> Shop {
    static RUN: OnceLock<Saved> = OnceLock::new();
    Shop::once(&RUN, || {
        let shop = shop();
        shop.edit("gold.sql", WITH_COUNT.0, WITH_COUNT.1);
        shop.ok(&["run", "--forward", "gold.items"]);
        shop
    })
}

#[test]
fn older_days_are_computed_again_newest_first() {
    let shop = gone_forward();
    let backfill = ["run", "--backfill", "gold.items"];
    let one = [&backfill[..], &["--days", "1"]].concat();
    assert_eq!(result(&shop, &one, "gold.items"), ["backfilled"]);
    assert_eq!(shop.rows(ITEMS), [KEPT[0], KEPT[1], KEPT[2], COMPUTED[3]]);
    let told = shop.ok(&["history", "gold.items"]);
    assert_eq!(history(&shop)[0]["logic"], "backfill 2025-07-13");
    assert!(
        told.contains("except those of 2025-07-13 and later days of its input"),
        "{told}"
    );
    // A run in between keeps the position; what arrives late is of the new SQL anyway.
    deliver(&shop, "2.json", &[("a", "2025-07-13", 10)]);
    assert_eq!(result(&shop, &["run"], "gold.items"), ["new rows"]);
    assert_eq!(shop.rows(ITEMS), ["a,11,2", KEPT[1], KEPT[2], COMPUTED[3]]);

    assert_eq!(result(&shop, &backfill, "gold.items"), ["backfilled"; 3]);
    assert_eq!(shop.rows(ITEMS), ["a,11,2", COMPUTED[1], COMPUTED[2], COMPUTED[3]]);
    assert_all_are_computed(&shop);
    let nothing = shop.run(&backfill);
    assert!(nothing.status.success());
    let said = String::from_utf8(nothing.stderr).unwrap();
    assert!(said.contains("nothing to compute again"), "{said}");
}

#[test]
fn a_backfill_leaves_what_is_new_to_the_next_run() {
    let shop = gone_forward();
    deliver(&shop, "2.json", &[("e", "2025-07-14", 7)]);
    shop.ok(&["run", "--select", "bronze.*,silver.*"]);
    // The newest day is the one that no run has read yet: computed here, and again there.
    shop.ok(&["run", "--backfill", "gold.items"]);
    assert_eq!(result(&shop, &["run"], "gold.items"), ["new rows"]);
    assert_eq!(shop.rows(ITEMS), [&COMPUTED[..], &["e,7,1"]].concat());
    assert_all_are_computed(&shop);
}

#[test]
fn rows_without_a_day_go_with_the_oldest_one() {
    let shop = shop();
    fs::write(shop.path("data/2.json"), "{\"item\":\"e\",\"amount\":\"7\"}\n").unwrap();
    shop.ok(&["run"]);
    shop.edit("gold.sql", WITH_COUNT.0, WITH_COUNT.1);
    shop.ok(&["run", "--forward", "gold.items"]);
    assert_eq!(
        result(&shop, &["run", "--backfill", "gold.items"], "gold.items"),
        ["backfilled"; 4]
    );
    assert_eq!(shop.rows(ITEMS), [&COMPUTED[..], &["e,7,1"]].concat());
    assert_all_are_computed(&shop);
}

/// Touched by the events of an item, and by its notes, which have times; an item needs both.
const GOLD_OF_TWO: &str = "\
with touched as (
    select item from changes('silver.events')
    union
    select item from changes('silver.notes')
),
notes as (select distinct item from silver.notes)
select touched.item, sum(events.amount) as amount
from touched
inner join silver.events as events on touched.item = events.item
inner join notes on touched.item = notes.item
group by touched.item
";

#[test]
fn the_changes_of_several_tables_are_computed_day_by_day() {
    let step = "      - { name: gold.items,";
    // The note on item a is of a day before all events; that on c has no time.
    for (notes, expected) in [
        (
            "select item, case item when 'a' then timestamp '2025-07-01T12:00:00' when 'c' then null \
             else cast(day as timestamp) end as noted_at from changes('silver.events')",
            &["01", "10", "11", "12", "13"][..],
        ),
        // Without a time, all of them go with the oldest day.
        (
            "select item from changes('silver.events')",
            &["10", "11", "12", "13"][..],
        ),
    ] {
        let shop = shop();
        fs::write(shop.path("notes.sql"), notes).unwrap();
        let with_notes = format!("      - {{ name: silver.notes, sql: notes.sql, mode: append }}\n{step}");
        shop.edit("pipelines.yaml", step, &with_notes);
        fs::write(shop.path("gold.sql"), GOLD_OF_TWO).unwrap();
        shop.ok(&["run"]);
        shop.edit("gold.sql", WITH_COUNT.0, WITH_COUNT.1);
        shop.ok(&["run", "--forward", "gold.items"]);
        assert_eq!(shop.rows(ITEMS), KEPT);
        shop.ok(&["run", "--backfill", "gold.items"]);
        let days: Vec<String> = history(&shop)
            .iter()
            .filter_map(|commit| {
                commit["logic"]
                    .as_str()?
                    .strip_prefix("backfill 2025-07-")
                    .map(str::to_owned)
            })
            .collect();
        assert_eq!(days, expected, "{notes}");
        assert_eq!(shop.rows(ITEMS), COMPUTED);
        assert_all_are_computed(&shop);
    }
}

#[test]
fn steps_of_the_shipped_project_can_be_backfilled() {
    let shop = Shop::after_a_run();
    let rows = || shop.rows("select * from gold.sessions order by session_id");
    let before = rows();
    shop.edit("sql/gold/sessions.sql", "as converted", "as converted, 1 as one");
    shop.ok(&["run", "--forward", "gold.sessions", "--select", "gold.sessions"]);
    shop.ok(&["run", "--backfill", "gold.sessions"]);
    assert_eq!(shop.number("select count(*) from gold.sessions where one is null"), 0);
    let before: Vec<String> = before.iter().map(|row| format!("{row},1")).collect();
    assert_eq!(rows(), before);
    for step in ["gold.session_items", "gold.item_activity"] {
        let said = shop.run(&["run", "--backfill", step]);
        assert!(
            said.status.success(),
            "{step}: {}",
            String::from_utf8_lossy(&said.stderr)
        );
    }
}

#[test]
fn a_backfill_of_changed_sql_asks_for_a_run_first() {
    let shop = gone_forward();
    shop.edit("gold.sql", "count(*)", "2 * count(*)");
    let (code, error) = shop.fails(&["run", "--backfill", "gold.items"]);
    assert!(code == 1 && error.contains("has to run before"), "{error}");
    let (code, error) = shop.fails(&["run", "--backfill", "silver.events"]);
    assert!(
        code == 1 && error.contains("`mode: append` would add its older rows once more"),
        "{error}"
    );
}

/// Crashes the first, second, third … time that the failpoint is reached, until the command succeeds.
fn die_at_every(shop: &Shop, args: &[&str], moment: &str) -> u32 {
    for deaths in 0.. {
        let failpoints = format!("{moment}={deaths}*off->return");
        let run = shop.command(args).env("FAILPOINTS", failpoints).output().unwrap();
        if run.status.success() {
            return deaths;
        }
        assert_eq!(run.status.signal(), Some(6), "{}", String::from_utf8_lossy(&run.stderr));
    }
    unreachable!()
}

#[test]
fn killed_at_any_commit_going_forward_and_backfilling_go_on() {
    for moment in ["before_commit", "after_commit", "inside_merge"] {
        let shop = shop();
        shop.edit("pipelines.yaml", "key: [item] }", "key: [item], on_change: forward }");
        shop.edit("gold.sql", WITH_COUNT.0, WITH_COUNT.1);
        deliver(&shop, "2.json", &[("a", "2025-07-14", 10)]);
        assert!(die_at_every(&shop, &["run"], moment) >= 1, "{moment}");
        shop.ok(&["run"]);
        let forward = ["a,11,2", KEPT[1], KEPT[2], KEPT[3]];
        assert_eq!(shop.rows(ITEMS), forward, "{moment}");

        assert!(
            die_at_every(&shop, &["run", "--backfill", "gold.items"], moment) >= 1,
            "{moment}"
        );
        shop.ok(&["run", "--backfill", "gold.items"]);
        let computed = ["a,11,2", COMPUTED[1], COMPUTED[2], COMPUTED[3]];
        assert_eq!(shop.rows(ITEMS), computed, "{moment}");
        // Each day once: a commit that was killed left no trace, and one that was made was not made again.
        let days: Vec<String> = history(&shop)
            .iter()
            .filter_map(|commit| Some(commit["logic"].as_str()?.to_owned()))
            .collect();
        let expected = ["10", "11", "12", "13", "14"].map(|day| format!("backfill 2025-07-{day}"));
        assert_eq!(days, [&expected[..], &["forward".to_owned()]].concat(), "{moment}");
        assert_all_are_computed(&shop);
    }
}

#[test]
fn following_backfills_in_the_background() {
    let shop = shop();
    shop.edit("pipelines.yaml", "key: [item] }", "key: [item], on_change: backfill }");
    shop.edit("gold.sql", WITH_COUNT.0, WITH_COUNT.1);
    let mut following = shop.start(&["run", "--follow"]);
    wait(&shop, "backfill", || {
        // The first build, the way forward, and four days.
        history(&shop).len() == 6
    });
    signal(&following, "TERM");
    assert!(following.wait().unwrap().success());
    assert_eq!(shop.rows(ITEMS), COMPUTED);
    assert_all_are_computed(&shop);
}
