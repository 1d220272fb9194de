//! What changes a step's logic, and for which steps a full refresh counts.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use super::*;
use crate::config::{Mode, Project, Secret};
use crate::pipeline::run_options::lookup;
use crate::pipeline::test_project::{dag, project, step, table};
use crate::pipeline::{Node, RunOptions, Selection};

/// What changes in a project, and what the step `gold.total` does then.
type Change = (fn(&mut Project), &'static str);

/// `gold.total`, which reads `bronze.prices` through a view.
fn total(change: fn(&mut Project)) -> Node {
    let mut total = step(
        "gold.total",
        Mode::Merge,
        "select item, sum(price) as total from silver.sold where price < var('most', 100) group by item",
    );
    total.key = vec!["item".to_owned()];
    let mut project = project(vec![
        step("bronze.prices", Mode::Append, "select * from changes('prices')"),
        step(
            "silver.sold",
            Mode::View,
            "select item, price from bronze.prices where price > var('least', 0)",
        ),
        total,
    ]);
    change(&mut project);
    dag(&project).get(&table("gold.total")).unwrap().clone()
}

fn replace(project: &mut Project, step: usize, old: &str, new: &str) {
    let sql = &mut project.pipelines[0].steps[step].sql;
    assert!(sql.contains(old));
    *sql = sql.replace(old, new);
}

fn set(project: &mut Project, name: &str, value: &str) {
    project.vars.insert(name.to_owned(), Secret::new(value));
}

#[test]
fn what_makes_other_rows_of_the_same_input_changes_the_logic() {
    let before = total(|_| {});
    assert!(before.tables.contains(&table("bronze.prices")) && before.tables.len() == 1);
    let cases: &[Change] = &[
        (|_| {}, NOTHING),
        (|p| replace(p, 2, "sum", "max"), SQL_CHANGED),
        (|p| replace(p, 2, "select", "-- why\nselect\n   "), NOTHING),
        (|p| set(p, "most", "50"), SQL_CHANGED),
        (|p| set(p, "most", "100"), NOTHING),
        (|p| set(p, "other", "50"), NOTHING),
        // The view in between.
        (|p| replace(p, 1, ">", ">="), SQL_CHANGED),
        (|p| replace(p, 1, "select", "-- why\nselect\n   "), NOTHING),
        (|p| set(p, "least", "1"), SQL_CHANGED),
        // The step before says by its own commit what its change means.
        (|p| replace(p, 0, "*", "item, price"), NOTHING),
        (|p| p.pipelines[0].steps[2].mode = Mode::Append, SQL_CHANGED),
        (|p| p.pipelines[0].steps[2].key.push("total".to_owned()), SQL_CHANGED),
        (
            |p| p.pipelines[0].steps[2].delete = Some("total = 0".to_owned()),
            SQL_CHANGED,
        ),
        (
            |p| p.pipelines[0].steps[2].partition_by.push("item".to_owned()),
            SQL_CHANGED,
        ),
        // When it runs and where its rows lie makes no other rows.
        (|p| p.pipelines[0].steps[2].every = Some(Duration::ZERO), NOTHING),
        (|p| p.pipelines[0].steps[2].refresh_after = Some(0.5), NOTHING),
        (|p| p.pipelines[0].steps[2].cluster_by.push("item".to_owned()), NOTHING),
    ];
    for (place, (change, expected)) in cases.iter().enumerate() {
        let mut facts = facts(Whole, &[]);
        facts.lake.table = Some(written_by(before.fingerprint));
        facts.lake.fingerprint = total(*change).fingerprint;
        assert_eq!(told(&decide(&facts)), *expected, "case {place}");
    }
}

#[test]
fn the_layout_is_what_older_rows_have_in_common_with_new_ones() {
    type Case = (fn(&mut Project), bool);
    let before = total(|_| {});
    let cases: &[Case] = &[
        (|_| {}, true),
        (|p| replace(p, 2, "sum", "max"), true),
        (|p| replace(p, 1, ">", ">="), true),
        (|p| p.pipelines[0].steps[2].delete = Some("total = 0".to_owned()), true),
        (|p| p.pipelines[0].steps[2].mode = Mode::Append, false),
        (|p| p.pipelines[0].steps[2].key.push("total".to_owned()), false),
        (|p| p.pipelines[0].steps[2].partition_by.push("item".to_owned()), false),
    ];
    for (place, (change, is_same)) in cases.iter().enumerate() {
        assert_eq!(total(*change).layout == before.layout, *is_same, "case {place}");
    }
}

#[test]
fn a_step_that_reads_a_source_is_refreshed_only_by_its_name() {
    let project = project(vec![
        step("bronze.prices", Mode::Append, "select * from changes('prices')"),
        step("gold.total", Mode::Overwrite, "select count(*) as n from bronze.prices"),
    ]);
    let dag = dag(&project);
    let is_refreshed = |name, options: &RunOptions| lookup(dag.get(&table(name)).unwrap(), options).full_refresh;
    let cases: &[(&[&str], bool)] = &[
        (&[], false),
        (&["bronze.*"], false),
        (&["+gold.total"], false),
        (&["bronze.prices"], true),
        (&["gold.total", "bronze.prices+"], true),
    ];
    for (select, expected) in cases {
        let mut options = RunOptions {
            selection: Selection {
                select: select.iter().map(ToString::to_string).collect(),
                exclude: vec![],
            },
            full_refresh: true,
            ..RunOptions::default()
        };
        assert_eq!(is_refreshed("bronze.prices", &options), *expected, "{select:?}");
        assert!(is_refreshed("gold.total", &options), "{select:?}");
        options.full_refresh = false;
        assert!(!is_refreshed("bronze.prices", &options) && !is_refreshed("gold.total", &options));
    }
}
