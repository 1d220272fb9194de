#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::batch_trigger::BatchTrigger;
use super::slower_steps::{Schedule, is_slower, pause};
use super::turns::Turns;
use super::{Status, waves};
use crate::config::{Mode, OnChange, Step, Trigger};
use crate::pipeline::test_project::{dag, project, step, table};
use crate::pipeline::{Dag, Decision, Node, Outcome};

const HOUR: Duration = Duration::from_secs(3_600);
/// Long enough to see that something waits for an hour.
const MOMENT: Duration = Duration::from_millis(1);

fn steps(steps: Vec<Step>) -> Dag {
    dag(&project(steps))
}

fn bronze(name: &str) -> Step {
    step(name, Mode::Append, "select * from changes('clicks')")
}

fn names(nodes: &[&Node]) -> Vec<String> {
    nodes.iter().map(|node| node.name().to_string()).collect()
}

fn told(dag: &Dag) -> String {
    let waves: Vec<String> = waves(dag.nodes().iter().filter(|node| node.step.mode != Mode::View))
        .iter()
        .map(|wave| names(wave).join(" "))
        .collect();
    waves.join(" | ")
}

#[test]
fn steps_of_a_wave_do_not_read_each_other() {
    let whole = |name, sql| step(name, Mode::Overwrite, sql);
    assert_eq!(told(&steps(vec![])), "");
    let side_by_side = steps(vec![
        bronze("bronze.a"),
        bronze("bronze.b"),
        whole("silver.c", "select * from bronze.a"),
        whole("silver.d", "select * from bronze.b"),
        whole("gold.e", "select * from silver.c union all select * from silver.d"),
    ]);
    assert_eq!(told(&side_by_side), "bronze.a bronze.b | silver.c silver.d | gold.e");
    // Their order stays: a step does not move forward to an earlier wave.
    let in_order = steps(vec![
        bronze("bronze.a"),
        whole("silver.c", "select * from bronze.a"),
        bronze("bronze.b"),
        whole("silver.d", "select * from bronze.b"),
    ]);
    assert_eq!(told(&in_order), "bronze.a | silver.c bronze.b | silver.d");
    // What is read through a view, or as it is, counts too.
    let hidden = steps(vec![
        bronze("bronze.a"),
        step("silver.v", Mode::View, "select * from bronze.a"),
        whole("gold.c", "select * from silver.v"),
        whole("gold.d", "select * from latest('gold.c')"),
    ]);
    assert_eq!(told(&hidden), "bronze.a | gold.c | gold.d");
}

/// A step with a pause of its own, and one that only waits for much to be new.
fn slower(every: Duration) -> Dag {
    let mut model = step("gold.model", Mode::Overwrite, "select 1 as x");
    model.every = Some(every);
    let mut report = step("gold.report", Mode::Overwrite, "select 1 as x");
    report.refresh_after = Some(0.05);
    steps(vec![model, report, step("gold.sum", Mode::Overwrite, "select 1 as x")])
}

#[test]
fn a_step_with_a_pause_or_a_threshold_runs_beside_the_batches() {
    let dag = slower(HOUR);
    let [model, report, sum] = ["gold.model", "gold.report", "gold.sum"].map(|name| dag.get(&table(name)).unwrap());
    assert_eq!([model, report, sum].map(is_slower), [true, true, false]);
    assert_eq!([model, report].map(|node| pause(node, MOMENT)), [HOUR, MOMENT]);
}

#[test]
fn a_step_is_due_at_once_and_again_after_its_pause() {
    let dag = slower(HOUR);
    let nodes: Vec<&Node> = dag.nodes().iter().filter(|node| is_slower(node)).collect();
    let mut schedule = Schedule::new(&nodes, HOUR);
    assert_eq!(names(&schedule.due()), ["gold.model", "gold.report"]);
    assert_eq!(names(&schedule.due()), [""; 0]);
    // One that had nothing to work on does not wait for so long.
    schedule.soon(nodes[0], Duration::ZERO);
    assert_eq!(names(&schedule.due()), ["gold.model"]);
    assert_eq!(names(&schedule.due()), [""; 0]);

    let dag = slower(Duration::ZERO);
    let nodes: Vec<&Node> = dag.nodes().iter().filter(|node| is_slower(node)).collect();
    let mut schedule = Schedule::new(&nodes, HOUR);
    assert_eq!(schedule.due().len(), 2);
    // It never waits longer than its own pause.
    schedule.soon(nodes[0], HOUR);
    assert_eq!(names(&schedule.due()), ["gold.model"]);
}

#[tokio::test]
async fn a_step_and_its_backfill_take_turns_and_no_other_step_waits() {
    let whole = "select t.n from changes('silver.n') t join silver.n as n on t.n = n.n";
    let mut backfilled = step("gold.n", Mode::Merge, whole);
    backfilled.key = vec!["n".to_owned()];
    backfilled.on_change = OnChange::Backfill;
    let dag = steps(vec![step("silver.n", Mode::Append, "select 1 as n"), backfilled]);
    let turns = Turns::new(dag.nodes().iter());
    let [silver, gold] = ["silver.n", "gold.n"].map(|name| dag.get(&table(name)).unwrap());
    assert_eq!(names(&turns.nodes().collect::<Vec<_>>()), ["gold.n"]);
    let turn = turns.take(gold).await;
    assert!(turn.is_some() && turns.take(silver).await.is_none());
    assert!(timeout(MOMENT, turns.take(gold)).await.is_err(), "it waits");
    drop(turn);
    assert!(turns.take(gold).await.is_some());
}

#[tokio::test]
async fn a_schedule_without_steps_waits_for_ever() {
    let dag = slower(HOUR);
    let nodes: Vec<&Node> = dag.nodes().iter().filter(|node| is_slower(node)).collect();
    let mut schedule = Schedule::new(&nodes, HOUR);
    schedule.wait().await;
    schedule.due();
    assert!(timeout(MOMENT, schedule.wait()).await.is_err());
    assert!(timeout(MOMENT, Schedule::new(&[], HOUR).wait()).await.is_err());
}

/// The outcome of a step that read this many records and bytes.
fn read(records: u64, bytes: u64) -> Outcome {
    Outcome {
        step: table("bronze.clicks"),
        decision: Decision::Incremental,
        read: records,
        written: records,
        version: Some(1),
        bytes,
        took: MOMENT,
        checked: vec![],
        failed: 0,
        reconciled: None,
    }
}

fn trigger(records: u64, bytes: u64) -> Trigger {
    Trigger {
        every: HOUR,
        records,
        bytes,
    }
}

#[test]
fn a_batch_takes_as_many_records_as_their_size_allows() {
    // Records are taken to have 512 bytes before one was seen.
    assert_eq!(BatchTrigger::new(trigger(1_000, 1 << 30)).records_max(), 1_000);
    assert_eq!(BatchTrigger::new(trigger(1, 0)).records_max(), 1);
    let mut batches = BatchTrigger::new(trigger(1_000_000, 1_024_000));
    assert_eq!(batches.records_max(), 2_000);
    // Steps that read no records, or none whose size is known, tell nothing.
    batches.learn(&read(0, 0));
    batches.learn(&read(10, 0));
    assert_eq!(batches.records_max(), 2_000);
    // 512 + 0.3 * (1,512 - 512) = 812 bytes.
    batches.learn(&read(10, 15_120));
    assert_eq!(batches.records_max(), 1_261);
    // Again and again, and the size is that of the records.
    (0..100).for_each(|_| batches.learn(&read(10, 10_000)));
    assert!(
        (1_023..=1_024).contains(&batches.records_max()),
        "{}",
        batches.records_max()
    );
}

#[test]
fn a_batch_that_does_not_fit_is_halved_and_grows_again() {
    let mut batches = BatchTrigger::new(trigger(4_000, 1 << 30));
    assert!(batches.take_less());
    assert_eq!(batches.records_max(), 2_000);
    assert!(batches.take_less());
    assert_eq!(batches.records_max(), 1_000);
    // So few records cannot be the reason for a lack of memory.
    assert!(!batches.take_less());
    assert_eq!(batches.records_max(), 1_000);
    for expected in [2_000, 4_000, 4_000] {
        batches.take_more();
        assert_eq!(batches.records_max(), expected);
    }
}

#[tokio::test]
async fn a_batch_begins_at_once_and_then_after_the_pause_or_when_enough_waits() {
    let (status, stop) = (Status::new(HOUR, true), CancellationToken::new());
    let waiting = |records| BTreeMap::from([("clicks".to_owned(), BTreeMap::from([("0".to_owned(), records)]))]);
    let mut batches = BatchTrigger::new(trigger(10, 1 << 30));
    assert!(batches.wait(&status, &stop).await);
    assert!(timeout(MOMENT, batches.wait(&status, &stop)).await.is_err());
    status.measured(waiting(9));
    assert!(timeout(MOMENT, batches.wait(&status, &stop)).await.is_err());
    status.measured(waiting(10));
    assert!(batches.wait(&status, &stop).await);
    // What waited before a batch says nothing about what it left.
    status.batch(MOMENT, 10, true);
    assert!(timeout(MOMENT, batches.wait(&status, &stop)).await.is_err());
    stop.cancel();
    assert!(!batches.wait(&status, &stop).await);

    let mut hurried = BatchTrigger::new(Trigger {
        every: Duration::ZERO,
        ..trigger(10, 1 << 30)
    });
    let stop = CancellationToken::new();
    assert!(hurried.wait(&status, &stop).await && hurried.wait(&status, &stop).await);
}
