//! Changed logic that holds for new rows alone.

use super::*;

const FORWARD: &str = "forward: its SQL or a variable in it has changed; older rows stay as they are";
const OTHER_LAYOUT: &str = "refused: its mode, `key` or `partition_by` has changed, which concerns the older rows, too";

/// Older rows are to stay.
fn forward(facts: &mut Facts) {
    facts.lake.forward = true;
}

/// Its table was written with another key.
fn other_layout(facts: &mut Facts) {
    set_layout(facts, Some(2));
}

fn unknown_layout(facts: &mut Facts) {
    set_layout(facts, None);
}

fn set_layout(facts: &mut Facts, layout: Option<i64>) {
    if let Some(table) = &mut facts.lake.table {
        table.layout = layout;
    }
}

#[test]
fn changed_logic_goes_forward_whether_rows_are_new_or_not() {
    check(&[
        (Changes, &[forward, other_sql], FORWARD),
        (Changes, &[forward, other_sql, |f| news(f, 0, News::Rows)], FORWARD),
        (Changes, &[forward, other_sql, |f| news(f, 1, News::Fewer)], FORWARD),
    ]);
}

#[test]
fn logic_that_is_the_same_is_no_matter_of_going_forward() {
    check(&[
        (Changes, &[forward], NOTHING),
        (Changes, &[forward, |f| news(f, 0, News::Rows)], NEW_ROWS),
        (Changes, &[forward, other_layout], NOTHING),
        (Changes, &[forward, unknown_layout], NOTHING),
    ]);
}

#[test]
fn what_rebuilds_the_table_anyway_comes_first() {
    check(&[
        (Changes, &[forward, no_table], FIRST),
        (Changes, &[forward, other_sql, full_refresh], REFRESHED),
        (Changes, &[forward, other_sql, others_changed_rows], ROWS_CHANGED),
        (Changes, &[forward, other_sql, restored], RESTORED),
        (Changes, &[forward, other_sql, |f| overwritten(f, 1)], OVERWRITTEN_PLAIN),
        // Then it does not matter that older rows would contradict.
        (Changes, &[forward, other_sql, other_layout, restored], RESTORED),
        (Changes, &[forward, other_sql, unknown_layout, full_refresh], REFRESHED),
        // It is not known what made the table.
        (
            Changes,
            &[forward, |f| f.lake.table = Some(TableFacts::default())],
            SQL_CHANGED,
        ),
    ]);
}

#[test]
fn older_rows_of_another_key_are_not_kept() {
    check(&[
        (Changes, &[forward, other_sql, other_layout], OTHER_LAYOUT),
        (
            Changes,
            &[forward, other_sql, unknown_layout],
            "refused: an earlier version of clickrec wrote its table, and did not record the key. With its old SQL, it \
             does so as soon as it writes a row",
        ),
        // A rebuild has no older rows.
        (Changes, &[other_sql, other_layout], SQL_CHANGED),
        (Changes, &[other_sql, unknown_layout], SQL_CHANGED),
    ]);
}

#[test]
fn a_step_that_computes_all_rows_or_reads_a_source_does_what_it_always_does() {
    check(&[
        (Whole, &[forward, other_sql], SQL_CHANGED),
        (Whole, &[forward, |f| news(f, 0, News::Rows)], CHANGED),
        (Sources, &[forward, other_sql], NOTHING),
        (Sources, &[forward, other_sql, other_layout, records_wait], NEW_ROWS),
    ]);
}

#[test]
fn only_some_decisions_keep_older_rows_and_tell_of_their_logic() {
    let text = || "why".to_owned();
    for (decision, keeps, logic) in [
        (Decision::UpToDate(text()), false, None),
        (Decision::Incremental, true, None),
        (Decision::Forward(text()), true, Some("forward")),
        (
            Decision::Backfill("2025-07-13".to_owned()),
            true,
            Some("backfill 2025-07-13"),
        ),
        (Decision::Full(text()), false, None),
    ] {
        assert_eq!(decision.keeps_rest(), keeps, "{decision:?}");
        assert_eq!(decision.logic().as_deref(), logic, "{decision:?}");
    }
}
