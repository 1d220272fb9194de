//! Which steps may keep their rows when their logic changes (`on_change: forward`, `--forward`), and for which of these
//! older rows can be computed again day by day (`on_change: backfill`, `--backfill`). What a changed step then does is
//! decided in `pipeline/decide/mod.rs`; `pipeline/backfill.rs` computes the days.
//!
//! A backfill replays the input of older days, newest first, after newer rows have been computed. That is right only if
//! the result for a key depends on the whole input and not on the batch that touches it, as with Gold's steps:
//! `changes('silver.events')` and `changes('silver.people')` name the sessions, and their rows come from
//! `silver.events` and `silver.people`. All other steps are refused.

use std::collections::BTreeSet;

use arrow::datatypes::{DataType, Schema};

use super::{Node, PipelineError};
use crate::config::{Mode, TableName};

/// Refuses a step that has no older rows beside new ones.
pub(super) fn check_forward(node: &Node) -> Result<(), PipelineError> {
    if matches!(node.step.mode, Mode::View | Mode::Overwrite) {
        let reason = format!("a step with `mode: {}` keeps no older rows", node.step.mode);
        return Err(not_forward(node, reason));
    }
    if !node.adds_records() && node.changed_tables.is_empty() {
        let reason = "its SQL reads no changes('…'), so that each run computes all of its rows";
        return Err(not_forward(node, reason.to_owned()));
    }
    Ok(())
}

/// Refuses a step whose older rows cannot be computed again, or not in this order.
pub(super) fn check_backfill(node: &Node) -> Result<(), PipelineError> {
    check_forward(node)?;
    inputs(node).map(drop)
}

/// The tables whose older rows a backfill reads again: those that name the keys.
pub(super) fn inputs(node: &Node) -> Result<&BTreeSet<TableName>, PipelineError> {
    let refused = |reason: String| Err(not_backfilled(node, reason));
    if node.step.mode != Mode::Merge {
        return refused(format!("`mode: {}` would add its older rows once more", node.step.mode));
    }
    if let Some(source) = node.sources.first() {
        return refused(format!("it reads the source `{source}`, which may hold less by now"));
    }
    if node.reads_itself {
        let reason = "its SQL reads its own rows (previous('…')), in which older input is no longer new";
        return refused(reason.to_owned());
    }
    match node.changed_tables.difference(&node.tables).next() {
        None => Ok(&node.changed_tables),
        Some(input) => refused(format!(
            "its rows come from changes('{input}') alone, so that an older day could replace newer rows; it has to take \
             them from `{input}`, for the keys that changes('{input}') names"
        )),
    }
}

/// The column that tells the days of an input apart: one that partitions it, or else its only date.
pub(super) fn day_column(
    node: &Node,
    input: &TableName,
    schema: &Schema,
    partition_by: &[String],
) -> Result<String, PipelineError> {
    let dates = schema
        .fields()
        .iter()
        .filter(|field| *field.data_type() == DataType::Date32);
    let dates: Vec<&String> = dates.map(|field| field.name()).collect();
    if let Some(day) = dates.iter().find(|name| partition_by.contains(**name)) {
        return Ok((*day).clone());
    }
    match dates[..] {
        [day] => Ok(day.clone()),
        [] => Err(not_backfilled(node, format!("`{input}` has no column of type date"))),
        [..] => {
            let names: Vec<&str> = dates.iter().map(|name| name.as_str()).collect();
            let reason = format!(
                "`{input}` has several dates ({}), and is partitioned by none",
                names.join(", ")
            );
            Err(not_backfilled(node, reason))
        }
    }
}

/// The column that tells the days of a further input apart if no date does: its first time. Any column would do, as each
/// row is of exactly one day.
pub(super) fn time_column(schema: &Schema) -> Option<&str> {
    let mut fields = schema.fields().iter();
    let time = fields.find(|field| matches!(field.data_type(), DataType::Timestamp(..)))?;
    Some(time.name())
}

/// Changed logic cannot hold for new rows alone.
pub(super) fn not_forward(node: &Node, reason: String) -> PipelineError {
    PipelineError::NotForward {
        step: node.name().to_string(),
        reason,
    }
}

/// Older rows cannot be computed again, or not now.
pub(super) fn not_backfilled(node: &Node, reason: String) -> PipelineError {
    PipelineError::NotBackfilled {
        step: node.name().to_string(),
        reason,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow::datatypes::{Field, TimeUnit};

    use super::*;
    use crate::config::Step;
    use crate::pipeline::test_project::{dag, project, step, table};

    /// Touched items from the whole of `silver.prices`.
    const WHOLE: &str = "select t.item, sum(p.price) as price from changes('silver.prices') t \
                         join silver.prices p on t.item = p.item group by t.item";

    fn node(mode: Mode, sql: &str) -> Node {
        let prices = step("silver.prices", Mode::Append, "select * from changes('prices')");
        let other = step("silver.other", Mode::Append, "select * from changes('prices')");
        let mut step: Step = step("gold.items", mode, sql);
        step.key = vec!["item".to_owned()];
        let dag = dag(&project(vec![prices, other, step]));
        dag.get(&table("gold.items")).unwrap().clone()
    }

    fn refused(checked: Result<(), PipelineError>) -> String {
        checked.map_or_else(|error| error.to_string(), |()| "allowed".to_owned())
    }

    #[test]
    fn a_step_goes_forward_if_it_adds_to_older_rows() {
        for (mode, sql, expected) in [
            (Mode::Merge, WHOLE, "allowed"),
            (Mode::Append, "select * from changes('silver.prices')", "allowed"),
            (Mode::Append, "select * from changes('prices')", "allowed"),
            (Mode::Merge, "select * from silver.prices", "reads no changes('…')"),
            (
                Mode::Overwrite,
                "select * from silver.prices",
                "`mode: overwrite` keeps no older rows",
            ),
            (
                Mode::View,
                "select * from silver.prices",
                "`mode: view` keeps no older rows",
            ),
        ] {
            let said = refused(check_forward(&node(mode, sql)));
            assert!(said.contains(expected), "{sql}: {said}");
        }
    }

    #[test]
    fn a_step_is_backfilled_if_its_input_only_names_the_keys() {
        let previous = WHOLE.replace(
            "group by",
            "left join previous('item string') o on o.item = t.item group by",
        );
        let one_alone = format!("{WHOLE} union all select item, price from changes('silver.other')");
        let two = format!("{one_alone} where item in (select item from silver.other)");
        for (mode, sql, expected) in [
            (Mode::Merge, WHOLE, "allowed"),
            (Mode::Append, WHOLE, "`mode: append` would add its older rows once more"),
            (
                Mode::Merge,
                "select * from changes('silver.prices')",
                "an older day could replace newer rows",
            ),
            (
                Mode::Merge,
                "select * from changes('prices')",
                "it reads the source `prices`",
            ),
            (Mode::Merge, previous.as_str(), "its SQL reads its own rows"),
            (Mode::Merge, two.as_str(), "allowed"),
            (
                Mode::Merge,
                one_alone.as_str(),
                "its rows come from changes('silver.other') alone",
            ),
            (Mode::Merge, "select * from silver.prices", "reads no changes('…')"),
        ] {
            let said = refused(check_backfill(&node(mode, sql)));
            assert!(said.contains(expected), "{sql}: {said}");
            assert!(said == "allowed" || said.contains("help: "), "{said}");
        }
    }

    #[test]
    fn the_day_is_the_date_that_partitions_the_input_or_its_only_date() {
        let columns = |names: &[&str]| {
            let mut fields = vec![Field::new("item", DataType::Utf8, true)];
            fields.extend(names.iter().map(|name| Field::new(*name, DataType::Date32, true)));
            Schema::new(fields)
        };
        let node = node(Mode::Merge, WHOLE);
        let day = |names: &[&str], partition_by: &[&str]| {
            let partition_by: Vec<String> = partition_by.iter().map(ToString::to_string).collect();
            day_column(&node, &table("silver.prices"), &columns(names), &partition_by)
                .map_err(|error| error.to_string())
        };
        assert_eq!(day(&["day"], &[]).unwrap(), "day");
        assert_eq!(day(&["day", "sent"], &["item", "sent"]).unwrap(), "sent");
        assert!(day(&[], &["item"]).unwrap_err().contains("no column of type date"));
        assert!(
            day(&["day", "sent"], &[])
                .unwrap_err()
                .contains("several dates (day, sent)")
        );
    }

    #[test]
    fn a_further_input_may_have_times_instead() {
        let time = |name| Field::new(name, DataType::Timestamp(TimeUnit::Microsecond, None), true);
        let id = || Field::new("id", DataType::Utf8, true);
        assert_eq!(
            time_column(&Schema::new(vec![id(), time("from"), time("to")])),
            Some("from")
        );
        assert_eq!(time_column(&Schema::new(vec![id()])), None);
    }
}
