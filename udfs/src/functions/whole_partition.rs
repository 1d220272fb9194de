//! Window functions that need to see a whole partition before they answer for its first row. It is held until it ends,
//! and no other: unlike the frame `rows between unbounded preceding and unbounded following`, which holds the whole
//! input.

use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringArray};
use datafusion::arrow::datatypes::{Date32Type, IntervalMonthDayNanoType, TimestampMicrosecondType};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::PartitionEvaluator;

use crate::visits::Event;

/// The longest silence: only so far around new events are written ones looked up (`sql/silver/events.sql`).
const DAY_US: i64 = 86_400_000_000;

/// The answers of a function for a partition, of its arguments' columns.
pub(super) type Compute = fn(&[ArrayRef]) -> Result<StringArray>;

/// Computes the answers once the partition has ended, and hands them out row by row.
#[derive(Debug)]
pub(super) struct WholePartition {
    compute: Compute,
    answers: Option<StringArray>,
    /// How many answers were handed out.
    given: usize,
}

impl WholePartition {
    pub fn new(compute: Compute) -> Self {
        Self {
            compute,
            answers: None,
            given: 0,
        }
    }
}

impl PartitionEvaluator for WholePartition {
    fn get_range(&self, _: usize, rows: usize) -> Result<Range<usize>> {
        Ok(0..rows)
    }

    fn is_causal(&self) -> bool {
        false
    }

    fn supports_bounded_execution(&self) -> bool {
        true
    }

    fn evaluate_all(&mut self, values: &[ArrayRef], _: usize) -> Result<ArrayRef> {
        Ok(Arc::new((self.compute)(values)?))
    }

    fn evaluate(&mut self, values: &[ArrayRef], _: &Range<usize>) -> Result<ScalarValue> {
        let answers = match self.answers.take() {
            Some(answers) => answers,
            None => (self.compute)(values)?,
        };
        let is_answered = self.given < answers.len() && answers.is_valid(self.given);
        let answer = is_answered.then(|| answers.value(self.given).to_owned());
        self.given += 1;
        self.answers = Some(answers);
        Ok(ScalarValue::Utf8(answer))
    }
}

/// The columns of which events are made.
pub(super) struct EventColumns<'a> {
    pub at: &'a ArrayRef,
    pub user: &'a ArrayRef,
    pub campaign: &'a ArrayRef,
    pub day: &'a ArrayRef,
}

impl<'a> EventColumns<'a> {
    /// The rows as events.
    pub fn events(&self) -> Vec<Event<'a>> {
        let at = self.at.as_primitive::<TimestampMicrosecondType>();
        let day = self.day.as_primitive::<Date32Type>();
        let (users, campaigns) = (texts(self.user), texts(self.campaign));
        let rows = users.into_iter().zip(campaigns).enumerate();
        let events = rows.map(|(row, (user, campaign))| Event {
            at_us: at.value(row),
            user,
            campaign,
            day: day.is_valid(row).then(|| day.value(row)),
        });
        events.collect()
    }
}

/// A column of text.
pub(super) fn texts(column: &ArrayRef) -> Vec<Option<&str>> {
    column.as_string::<i32>().iter().collect()
}

/// The length of an interval in microseconds, of the first row: `None` if it is NULL.
pub(super) fn length_us(function: &str, column: &ArrayRef) -> Result<Option<i64>> {
    let intervals = column.as_primitive::<IntervalMonthDayNanoType>();
    if intervals.is_empty() || intervals.is_null(0) {
        return Ok(None);
    }
    let interval = intervals.value(0);
    let us = i64::from(interval.days) * DAY_US + interval.nanoseconds / 1_000;
    if interval.months != 0 || us <= 0 || us > DAY_US {
        return exec_err!(
            "{function}: a silence must be longer than nothing and at most a day\n  help: write hours, minutes or seconds \
             with their unit, such as '30 minutes'; a number alone is months"
        );
    }
    Ok(Some(us))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn answers_are_handed_out_in_order_and_computed_once() {
        let column: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("c")]));
        let mut evaluator = WholePartition::new(|values| Ok(values[0].as_string::<i32>().clone()));
        let answers: Vec<ScalarValue> = (0..3)
            .map(|row| {
                let range = evaluator.get_range(row, 3).unwrap();
                assert_eq!(range, 0..3);
                evaluator.evaluate(std::slice::from_ref(&column), &range).unwrap()
            })
            .collect();
        let expected = [Some("a"), None, Some("c")].map(|text| ScalarValue::Utf8(text.map(str::to_owned)));
        assert_eq!(answers, expected);
    }
}
