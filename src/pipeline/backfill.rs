//! Computes rows of earlier logic again, for a step that went forward (`on_change`, `--forward`): one day of its inputs at
//! a time, newest first, each in one commit. `run --backfill` does so day after day, and `run --follow` beside its
//! batches (`pipeline/follow/backfill.rs`). `pipeline/on_change.rs` says for which steps this is possible.
//!
//! The commit holds the oldest day that is done (`lake/positions.rs`), and leaves what the step has read of its inputs
//! as it was. So a backfill may be stopped or killed at any moment: a day is committed with its position, or not at all.
//! Rows that arrive for a day that is done are of the new logic anyway. Rows without a day go with the oldest one.
//!
//! A step may read the changes of several tables. Each row of each of them is of one day, so that every key is named in
//! the end, whichever of them names it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Date32Type};
use datafusion::common::ScalarValue;
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::{Expr, ident, lit, try_cast};

use super::inputs::Lookup;
use super::leave_out_failed_records::run_leaving_out_failed_records;
use super::on_change::{self, not_backfilled};
use super::run_step::outcome;
use super::{Decision, Inputs, Node, Outcome, PipelineError, RunEvent, Runner, StepProgress};
use crate::config::TableName;
use crate::lake::{LakeError, positions};

/// How often a day that lost a race is planned again from the new state.
const ATTEMPTS: usize = 3;

/// What a backfill did.
#[derive(Debug)]
pub enum Backfilled {
    /// One more day.
    Day(Box<Outcome>),
    /// Nothing: all rows are of the step's logic.
    Nothing,
    /// Nothing yet: the step has to run first, for this reason.
    RunFirst(String),
}

/// What is to be computed next.
enum Next {
    Day(Box<Inputs>),
    Nothing,
    RunFirst(String),
}

impl Runner {
    /// Makes sure that the older rows of a step can be computed again day by day.
    ///
    /// # Errors
    /// Why not.
    pub fn check_backfill(&self, node: &Node) -> Result<(), PipelineError> {
        on_change::check_backfill(node)?;
        self.days_of_inputs(node).map(drop)
    }

    /// Computes the newest day again of which rows are of earlier logic.
    ///
    /// # Errors
    /// When that is not possible for the step, or the day fails; nothing of it was committed then.
    pub async fn backfill(
        &self,
        node: &Node,
        on_event: &mut dyn FnMut(RunEvent<'_>),
    ) -> Result<Backfilled, PipelineError> {
        self.check_backfill(node)?;
        let started = Instant::now();
        let mut attempt = 1;
        loop {
            let inputs = match self.next_day(node).await? {
                Next::Day(inputs) => inputs,
                Next::Nothing => return Ok(Backfilled::Nothing),
                Next::RunFirst(reason) => return Ok(Backfilled::RunFirst(reason)),
            };
            let progress = Arc::new(StepProgress::default());
            on_event(RunEvent::Started {
                step: node,
                decision: &inputs.decision,
                waiting: None,
                progress: progress.clone(),
            });
            match run_leaving_out_failed_records(self.tools_here(), node, &inputs, &progress).await {
                Ok(done) => {
                    let outcome = outcome(node, inputs.decision.clone(), Some(done), started);
                    return Ok(Backfilled::Day(Box::new(outcome)));
                }
                Err(PipelineError::Lake {
                    source: LakeError::Conflict { .. },
                    ..
                }) if attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// The tables whose rows are read again, each with the day of a row. One of them must have a date; another one that
    /// cannot tell the day goes with the oldest.
    fn days_of_inputs<'a>(&self, node: &'a Node) -> Result<Vec<(&'a TableName, Option<Expr>)>, PipelineError> {
        let (mut days, mut has_date, mut refused) = (vec![], false, None);
        for input in on_change::inputs(node)? {
            let partition_by: &[String] = self.dag().get(input).map_or(&[], |step| &step.step.partition_by);
            let Some(schema) = self.schemas().get(input) else {
                return Err(not_backfilled(node, format!("the columns of `{input}` are unknown")));
            };
            let day = match on_change::day_column(node, input, schema, partition_by) {
                Ok(date) => {
                    has_date = true;
                    Some(ident(date))
                }
                Err(error) => {
                    refused = Some(error);
                    on_change::time_column(schema).map(|time| try_cast(ident(time), DataType::Date32))
                }
            };
            days.push((input, day));
        }
        match refused {
            Some(error) if !has_date => Err(error),
            _ => Ok(days),
        }
    }

    /// What the step reads for the next day: everything as in a run, but `changes('…')` stands for the rows of that day.
    async fn next_day(&self, node: &Node) -> Result<Next, PipelineError> {
        let failed = |error| node.lake_error(error);
        let mut inputs = self.inspect(node, Lookup::default()).await?;
        if let Decision::Full(reason) | Decision::Forward(reason) = inputs.decision {
            return Ok(Next::RunFirst(reason));
        }
        let target = inputs.target.clone();
        let since = target.transaction(positions::SINCE).await.map_err(failed)?;
        if since.unwrap_or(0) == 0 {
            return Ok(Next::Nothing);
        }
        let done = target.transaction(positions::BACKFILL).await.map_err(failed)?;
        let done = done.and_then(|done| i32::try_from(done).ok());

        let (day, is_last) = self.bind_next_day(node, &mut inputs, done).await?;
        inputs.decision = Decision::Backfill(named(day));
        inputs.waiting = None;
        // What the step has read of its inputs stays as it was.
        for (id, version) in &mut inputs.transactions {
            if let Some(stored) = target.transaction(id).await.map_err(failed)? {
                *version = stored;
            }
        }
        let position = day.map_or(positions::NO_DAY, i64::from);
        inputs.transactions.insert(positions::BACKFILL.to_owned(), position);
        if is_last {
            inputs.transactions.insert(positions::SINCE.to_owned(), 0);
        }
        Ok(Next::Day(Box::new(inputs)))
    }

    /// Lets `changes('…')` stand for the rows of the newest day before `done`. Returns it, and whether it is the last.
    async fn bind_next_day(
        &self,
        node: &Node,
        inputs: &mut Inputs,
        done: Option<i32>,
    ) -> Result<(Option<i32>, bool), PipelineError> {
        let session = self.upkeep_session().await?;
        let registered = inputs.target.register_store(&session.state());
        registered.map_err(|error| node.lake_error(error))?;
        let mut rows = vec![];
        for (input, day) in self.days_of_inputs(node)? {
            if let Some(table) = inputs.bindings.tables.get(input) {
                rows.push((input, session.read_table(table.clone())?, day));
            }
        }
        let mut days = BTreeSet::new();
        for (_, rows, day) in &rows {
            if let Some(day) = day {
                days.extend(newest_days(rows, day, done).await?);
            }
        }
        let (day, is_last) = (days.last().copied(), days.len() < 2);
        for (input, rows, day_of_row) in rows {
            let changes = rows.filter(of_day(day_of_row, day, is_last))?.into_view();
            inputs.bindings.changes.insert(input.to_string(), changes);
        }
        Ok((day, is_last))
    }
}

/// Which rows are computed with a day: the oldest one takes what is older or has none.
fn of_day(day_of_row: Option<Expr>, day: Option<i32>, is_last: bool) -> Expr {
    let date = day.map(|day| lit(ScalarValue::Date32(Some(day))));
    match (day_of_row, date) {
        (None, _) => lit(is_last),
        (Some(of_row), None) => of_row.is_null(),
        (Some(of_row), Some(date)) if is_last => of_row.clone().lt_eq(date).or(of_row.is_null()),
        (Some(of_row), Some(date)) => of_row.eq(date),
    }
}

/// The two newest days before one, in days since 1970.
async fn newest_days(rows: &DataFrame, day: &Expr, before: Option<i32>) -> Result<Vec<i32>, PipelineError> {
    const DAY: &str = "__day";
    let mut days = rows.clone().filter(day.clone().is_not_null())?;
    if let Some(before) = before {
        days = days.filter(day.clone().lt(lit(ScalarValue::Date32(Some(before)))))?;
    }
    let days = days.select(vec![day.clone().alias(DAY)])?.distinct()?;
    let days = days.sort(vec![ident(DAY).sort(false, false)])?.limit(0, Some(2))?;
    let batches = days.collect().await?;
    let dates = batches
        .iter()
        .filter_map(|batch| batch.column(0).as_primitive_opt::<Date32Type>());
    Ok(dates.flat_map(|dates| dates.iter()).flatten().collect())
}

/// A day for people.
fn named(day: Option<i32>) -> String {
    let Some(day) = day else {
        return "rows without a day".to_owned();
    };
    Date32Type::to_naive_date_opt(day).map_or_else(|| format!("day {day}"), |date| date.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_named_as_dates() {
        let cases = [
            (Some(0), "1970-01-01"),
            (Some(-1), "1969-12-31"),
            (Some(20_282), "2025-07-13"),
            (Some(i32::MAX), "day 2147483647"),
            (None, "rows without a day"),
        ];
        for (day, expected) in cases {
            assert_eq!(named(day), expected);
        }
    }

    #[test]
    fn each_row_goes_with_one_day() {
        let said = |day, is_last| of_day(Some(ident("day")), day, is_last).to_string();
        assert_eq!(said(Some(3), false), "day = Date32(\"1970-01-04\")");
        assert_eq!(said(Some(3), true), "day <= Date32(\"1970-01-04\") OR day IS NULL");
        assert_eq!(said(None, true), "day IS NULL");
        assert_eq!(of_day(None, Some(3), false), lit(false));
        assert_eq!(of_day(None, Some(3), true), lit(true));
    }
}
