//! Computes rows of earlier logic again, for a step that went forward (`on_change`, `--forward`): one day of its input at
//! a time, newest first, each in one commit. `run --backfill` does so day after day, and `run --follow` beside its
//! batches (`pipeline/follow/backfill.rs`). `pipeline/on_change.rs` says for which steps this is possible.
//!
//! The commit holds the oldest day that is done (`lake/positions.rs`), and leaves what the step has read of its inputs
//! as it was. So a backfill may be stopped or killed at any moment: a day is committed with its position, or not at all.
//! Rows that arrive for a day that is done are of the new logic anyway. Rows without a day go with the oldest one.

use std::sync::Arc;
use std::time::Instant;

use arrow::array::AsArray;
use arrow::datatypes::Date32Type;
use datafusion::common::ScalarValue;
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::{ident, lit};

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
        self.day_of_input(node).map(drop)
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

    /// The table whose rows are read again, and the column of their day.
    fn day_of_input<'a>(&self, node: &'a Node) -> Result<(&'a TableName, String), PipelineError> {
        let input = on_change::input(node)?;
        let partition_by: &[String] = self.dag().get(input).map_or(&[], |step| &step.step.partition_by);
        let Some(schema) = self.schemas().get(input) else {
            return Err(not_backfilled(node, format!("the columns of `{input}` are unknown")));
        };
        Ok((input, on_change::day_column(node, schema, partition_by)?))
    }

    /// What the step reads for the next day: everything as in a run, but `changes('…')` stands for the rows of that day.
    async fn next_day(&self, node: &Node) -> Result<Next, PipelineError> {
        let failed = |error| node.lake_error(error);
        let (input, column) = self.day_of_input(node)?;
        let mut inputs = self.inspect(node, Lookup::default()).await?;
        if let Decision::Full(reason) | Decision::Forward(reason) = inputs.decision {
            return Ok(Next::RunFirst(reason));
        }
        let target = inputs.target.clone();
        let since = target.transaction(positions::SINCE).await.map_err(failed)?;
        let (true, Some(rows)) = (since.unwrap_or(0) != 0, inputs.bindings.tables.get(input)) else {
            return Ok(Next::Nothing);
        };
        let done = target.transaction(positions::BACKFILL).await.map_err(failed)?;
        let done = done.and_then(|done| i32::try_from(done).ok());

        let session = self.upkeep_session().await?;
        target.register_store(&session.state()).map_err(failed)?;
        let rows = session.read_table(rows.clone())?;
        let days = newest_days(&rows, &column, done).await?;
        let date = |day: i32| lit(ScalarValue::Date32(Some(day)));
        let (of_day, is_last) = match days[..] {
            [] => (ident(&column).is_null(), true),
            [day] => (ident(&column).lt_eq(date(day)).or(ident(&column).is_null()), true),
            [day, ..] => (ident(&column).eq(date(day)), false),
        };
        inputs
            .bindings
            .changes
            .insert(input.to_string(), rows.filter(of_day)?.into_view());
        inputs.decision = Decision::Backfill(named(days.first().copied()));
        inputs.waiting = None;
        // What the step has read of its inputs stays as it was.
        for (id, version) in &mut inputs.transactions {
            if let Some(stored) = target.transaction(id).await.map_err(failed)? {
                *version = stored;
            }
        }
        let position = days.first().map_or(positions::NO_DAY, |day| i64::from(*day));
        inputs.transactions.insert(positions::BACKFILL.to_owned(), position);
        if is_last {
            inputs.transactions.insert(positions::SINCE.to_owned(), 0);
        }
        Ok(Next::Day(Box::new(inputs)))
    }
}

/// The two newest days before one, newest first, in days since 1970.
async fn newest_days(rows: &DataFrame, column: &str, before: Option<i32>) -> Result<Vec<i32>, PipelineError> {
    let day = || ident(column);
    let mut days = rows.clone().filter(day().is_not_null())?;
    if let Some(before) = before {
        days = days.filter(day().lt(lit(ScalarValue::Date32(Some(before)))))?;
    }
    let days = days.select(vec![day()])?.distinct()?;
    let days = days.sort(vec![day().sort(false, false)])?.limit(0, Some(2))?;
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
}
