mod forward;
mod logic;

use super::Reads::{Changes, Sources, Whole};
use super::*;
use crate::lake::Replaced;

/// What a step reads, what is not as it was when it last ran, and what it does.
type Case<'a> = (Reads, &'a [fn(&mut Facts)], &'static str);

const NOTHING: &str = "nothing: nothing new";
const NEW_ROWS: &str = "new rows";
const FIRST: &str = "everything: its table does not exist yet";
const REFRESHED: &str = "everything: a full refresh was requested";
const SQL_CHANGED: &str = "everything: its SQL or a variable in it has changed";
const ROWS_CHANGED: &str = "everything: another program changed its rows: DELETE by Spark in version 4";
const COLUMNS_CHANGED: &str = "everything: another program changed its columns: ADD COLUMN by Spark in version 4";
const CHANGED: &str = "everything: its input has changed";
const SNAPSHOT: &str = "everything: a snapshot has changed";
const NOT_TAKEN: &str = "nothing: the snapshot `items` was not read: items.csv: its last record is unterminated";
const OVERWRITTEN: &str = "everything: `in.t0`: its rows were replaced in version 3 (WRITE by Spark)";
const OVERWRITTEN_PLAIN: &str = "everything: `in.t1`: its rows were replaced in version 3 (WRITE by Spark)";
const RESTORED: &str = "everything: `in.t0`: it is at version 2, but version 5 has already been read";

fn told(decision: &Result<Decision, String>) -> String {
    match decision {
        Ok(Decision::UpToDate(reason)) => format!("nothing: {reason}"),
        Ok(Decision::Incremental) => "new rows".to_owned(),
        Ok(Decision::Forward(reason)) => format!("forward: {reason}"),
        Ok(Decision::Backfill(rows)) => format!("backfill: {rows}"),
        Ok(Decision::Full(reason)) => format!("everything: {reason}"),
        Err(reason) => format!("refused: {reason}"),
    }
}

fn check(cases: &[Case<'_>]) {
    for (place, (reads, changes, expected)) in cases.iter().enumerate() {
        let facts = facts(*reads, changes);
        assert_eq!(told(&decide(&facts)), *expected, "case {place}: {facts:?}");
    }
}

/// The facts about a step that has read all there is, after some changes. It has two inputs, `in.t0` and `in.t1`; where
/// it reads changes, it is those of the first.
fn facts(reads: Reads, changes: &[fn(&mut Facts)]) -> Facts {
    let input = |drives| InputFacts {
        drives,
        ..InputFacts::default()
    };
    let mut facts = Facts {
        lake: LakeFacts {
            reads,
            full_refresh: false,
            forward: false,
            fingerprint: 7,
            layout: 1,
            table: Some(written_by(7)),
            inputs: vec![input(true), input(reads == Whole)],
            refresh: None,
        },
        sources: SourceFacts::default(),
    };
    for change in changes {
        change(&mut facts);
    }
    facts
}

/// A table that logic of this fingerprint has made, and nobody else has touched.
fn written_by(fingerprint: i64) -> TableFacts {
    TableFacts {
        fingerprint: Some(fingerprint),
        layout: Some(1),
        others: Others::Nothing,
    }
}

fn no_table(facts: &mut Facts) {
    facts.lake.table = None;
}

fn full_refresh(facts: &mut Facts) {
    facts.lake.full_refresh = true;
}

fn other_sql(facts: &mut Facts) {
    facts.lake.table = Some(written_by(6));
}

fn others_changed_rows(facts: &mut Facts) {
    facts.lake.table = Some(TableFacts {
        others: Others::Rows("DELETE by Spark in version 4".to_owned()),
        ..written_by(7)
    });
}

fn others_changed_columns(facts: &mut Facts) {
    facts.lake.table = Some(TableFacts {
        others: Others::Columns("ADD COLUMN by Spark in version 4".to_owned()),
        ..written_by(7)
    });
}

fn news(facts: &mut Facts, input: usize, news: News) {
    facts.lake.inputs[input].news = news;
}

/// An input, which has rows, has to be read again.
fn reread(facts: &mut Facts, input: usize, replaced: &Replaced) {
    facts.lake.inputs[input] = InputFacts {
        news: News::Rows,
        reread: Some(format!("`in.t{input}`: {replaced}")),
        ..facts.lake.inputs[input].clone()
    };
}

fn overwritten(facts: &mut Facts, input: usize) {
    let by = " (WRITE by Spark)".to_owned();
    reread(facts, input, &Replaced::Rewritten { version: 3, by });
}

fn restored(facts: &mut Facts) {
    reread(facts, 0, &Replaced::Restored { now: 2, read: 5 });
}

/// Some of the 1,000 rows of its inputs are new, and it waits until a share is.
fn refresh(facts: &mut Facts, after: f64, new: Option<u64>) {
    facts.lake.inputs[0].news = News::Rows;
    facts.lake.refresh = Some(Refresh {
        after,
        rows: 1_000,
        new,
    });
}

fn records_wait(facts: &mut Facts) {
    facts.sources.records = 5;
}

/// A snapshot is another than the one that was read; it may have no records.
fn other_snapshot(facts: &mut Facts) {
    facts.sources.keep = true;
}

fn not_taken(facts: &mut Facts) {
    facts.sources.not_taken =
        Some("the snapshot `items` was not read: items.csv: its last record is unterminated".to_owned());
}

#[test]
fn where_nothing_is_new_nothing_is_done() {
    check(&[
        (Whole, &[], NOTHING),
        (Changes, &[], NOTHING),
        (Sources, &[], NOTHING),
        (Whole, &[|f| f.lake.inputs.clear()], NOTHING),
        (Sources, &[|f| f.lake.inputs.clear()], NOTHING),
    ]);
}

#[test]
fn a_table_that_does_not_exist_is_built() {
    check(&[
        (Whole, &[no_table], FIRST),
        (Changes, &[no_table], FIRST),
        (Sources, &[no_table], FIRST),
        (Sources, &[no_table, records_wait], FIRST),
        (Changes, &[no_table, full_refresh], FIRST),
    ]);
}

#[test]
fn a_full_refresh_comes_before_every_reason_of_a_table_that_exists() {
    check(&[
        (Whole, &[full_refresh], REFRESHED),
        (Changes, &[full_refresh], REFRESHED),
        (Sources, &[full_refresh], REFRESHED),
        (Sources, &[full_refresh, records_wait], REFRESHED),
        (Changes, &[full_refresh, other_sql, restored], REFRESHED),
        (Whole, &[full_refresh, others_changed_rows], REFRESHED),
    ]);
}

#[test]
fn changed_logic_rebuilds_what_can_be_rebuilt() {
    check(&[
        (Whole, &[other_sql], SQL_CHANGED),
        (Changes, &[other_sql], SQL_CHANGED),
        (Changes, &[other_sql, restored], SQL_CHANGED),
        // It is not known what made the table.
        (Whole, &[|f| f.lake.table = Some(TableFacts::default())], SQL_CHANGED),
        // The source may hold less by now: the new logic is for new records.
        (Sources, &[other_sql], NOTHING),
        (Sources, &[other_sql, records_wait], NEW_ROWS),
    ]);
}

#[test]
fn a_table_that_others_changed_is_rebuilt() {
    check(&[
        (Whole, &[others_changed_rows], ROWS_CHANGED),
        (Changes, &[others_changed_rows], ROWS_CHANGED),
        (Changes, &[others_changed_rows, restored], ROWS_CHANGED),
        (Whole, &[others_changed_columns], COLUMNS_CHANGED),
        (Changes, &[others_changed_columns], COLUMNS_CHANGED),
    ]);
}

#[test]
fn rows_that_arrived_are_added_or_make_a_step_compute_again() {
    check(&[
        (Changes, &[|f| news(f, 0, News::Rows)], NEW_ROWS),
        (Sources, &[|f| news(f, 0, News::Rows)], NEW_ROWS),
        (Whole, &[|f| news(f, 0, News::Rows)], CHANGED),
        (Whole, &[|f| news(f, 1, News::Rows)], CHANGED),
        // A table that is read next to the changes waits for them.
        (Changes, &[|f| news(f, 1, News::Rows)], NOTHING),
        (Sources, &[|f| news(f, 1, News::Rows)], NOTHING),
        // Rows that a merge removed are not news for a step that appends.
        (Changes, &[|f| news(f, 0, News::Fewer)], NOTHING),
        (Whole, &[|f| news(f, 0, News::Fewer)], CHANGED),
        (Whole, &[|f| news(f, 1, News::Fewer)], CHANGED),
    ]);
}

#[test]
fn inputs_that_were_restored_or_replaced_are_read_again() {
    check(&[
        (Whole, &[|f| overwritten(f, 0)], OVERWRITTEN),
        (Changes, &[|f| overwritten(f, 0)], OVERWRITTEN),
        (Whole, &[restored], RESTORED),
        (Changes, &[restored], RESTORED),
        (
            Changes,
            &[|f| reread(f, 0, &Replaced::LogExpired(4))],
            "everything: `in.t0`: its log no longer holds version 4",
        ),
        (
            Changes,
            &[|f| reread(f, 0, &Replaced::Vacuumed(4))],
            "everything: `in.t0`: a vacuum deleted files of version 4 or later",
        ),
        // Rows that were joined with what was overwritten may be wrong, though nothing waits.
        (Changes, &[|f| overwritten(f, 1)], OVERWRITTEN_PLAIN),
        (Whole, &[|f| overwritten(f, 1)], OVERWRITTEN_PLAIN),
        // The first of them is told.
        (Changes, &[|f| overwritten(f, 1), restored], RESTORED),
        // A table that is filled from a source is never rebuilt automatically. (Rows that it has read already are
        // refused before this.)
        (Sources, &[restored], NEW_ROWS),
        (Sources, &[restored, |f| news(f, 0, News::None)], NOTHING),
        (Sources, &[|f| overwritten(f, 1)], NOTHING),
    ]);
}

#[test]
fn a_step_that_waits_for_much_says_how_much_is_new() {
    check(&[
        (
            Whole,
            &[|f| refresh(f, 0.05, Some(49))],
            "nothing: 4.9% of its input is new; the step waits for 5%",
        ),
        (Whole, &[|f| refresh(f, 0.05, Some(50))], CHANGED),
        (
            Whole,
            &[|f| refresh(f, 0.07, Some(1))],
            "nothing: 0.1% of its input is new; the step waits for 7%",
        ),
        (
            Whole,
            &[|f| refresh(f, 0.5, Some(0)), |f| news(f, 0, News::Fewer)],
            "nothing: 0.0% of its input is new; the step waits for 50%",
        ),
        (
            Whole,
            &[|f| refresh(f, 0.5, Some(0)), |f| news(f, 0, News::None)],
            NOTHING,
        ),
        // It does not wait where it is not known how much is new, or where its table is not what it made.
        (Whole, &[|f| refresh(f, 0.05, None)], CHANGED),
        (Whole, &[|f| refresh(f, 0.05, Some(1)), restored], RESTORED),
        (Whole, &[|f| refresh(f, 0.05, Some(1)), other_sql], SQL_CHANGED),
        (Whole, &[|f| refresh(f, 0.05, Some(1)), full_refresh], REFRESHED),
        (Whole, &[|f| refresh(f, 0.05, Some(1)), no_table], FIRST),
    ]);
}

#[test]
fn what_waits_in_sources_is_read_and_what_was_lost_is_settled() {
    check(&[
        (Sources, &[records_wait], NEW_ROWS),
        (Sources, &[|f| f.sources.keep = true], NEW_ROWS),
        (Sources, &[|f| f.sources.loss = Loss::ReadAgain], NEW_ROWS),
        (Sources, &[|f| f.sources.loss = Loss::Unknown], NEW_ROWS),
    ]);
}

#[test]
fn a_snapshot_that_has_changed_makes_its_step_compute_again_and_one_that_is_not_taken_changes_nothing() {
    check(&[
        (Whole, &[other_snapshot], SNAPSHOT),
        (Whole, &[other_snapshot, |f| f.lake.inputs.clear()], SNAPSHOT),
        (Whole, &[other_snapshot, records_wait], SNAPSHOT),
        // What else the step reads may change, too.
        (Whole, &[|f| news(f, 0, News::Rows)], CHANGED),
        (Whole, &[other_snapshot, |f| overwritten(f, 0)], OVERWRITTEN),
        (Whole, &[other_snapshot, other_sql], SQL_CHANGED),
        (Whole, &[other_snapshot, no_table], FIRST),
        // A share of a snapshot is not waited for.
        (Whole, &[other_snapshot, |f| refresh(f, 0.05, Some(1))], SNAPSHOT),
        // Without the snapshot there is nothing to compute from.
        (Whole, &[not_taken], NOT_TAKEN),
        (Whole, &[not_taken, no_table], NOT_TAKEN),
        (Whole, &[not_taken, other_sql], NOT_TAKEN),
        (Whole, &[not_taken, full_refresh], NOT_TAKEN),
        (Whole, &[not_taken, |f| news(f, 0, News::Rows)], NOT_TAKEN),
        (Whole, &[not_taken, |f| overwritten(f, 0)], NOT_TAKEN),
        // Another one has changed.
        (Whole, &[not_taken, other_snapshot, records_wait], NOT_TAKEN),
    ]);
}

/// Whether a step that computes everything reads its inputs as though it had never read any.
fn starts_anew(reads: Reads, changes: &[fn(&mut Facts)]) -> bool {
    let facts = facts(reads, changes);
    let decision = decide(&facts);
    assert!(matches!(decision, Ok(Decision::Full(_))), "{decision:?}");
    match facts.lake.rebuild() {
        Some(reason) => decision == Ok(Decision::Full(reason)),
        None => false,
    }
}

#[test]
fn what_is_rebuilt_starts_anew_and_what_is_computed_again_knows_its_rows() {
    assert!(starts_anew(Sources, &[no_table]));
    assert!(starts_anew(Whole, &[other_sql]));
    assert!(starts_anew(Changes, &[|f| overwritten(f, 1)]));
    assert!(!starts_anew(Whole, &[|f| news(f, 0, News::Rows)]));
    assert!(!starts_anew(Whole, &[restored]));
}
