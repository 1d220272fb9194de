//! Cuts test sessions into cases, step by step: what is known at a step, what comes next, and what is still to come. An
//! item that the session has seen before counts like any other, as the next one too (`metrics/mod.rs`). Removals and
//! returns are known, but nobody should recommend them, so they are no targets. A session with a single event has no
//! case; at most its 500 newest events are known.

use std::ops::Range;

use arrow::array::{Array, RecordBatch, StringArray, UInt64Array};
use arrow::compute::{cast, take_record_batch};
use datafusion::error::DataFusionError;

use super::EvaluationError;
use crate::recommender::texts;

/// No session in a lake has an ID with this prefix, so a case never matches a neighboring session by chance.
const ID: &str = "evaluate#";

/// The maximum number of known events per case, the newest ones: the cost of a bot's session would otherwise be
/// quadratic.
const KNOWN: usize = 500;

/// Types of events that are no targets: they say that an item was not wanted.
const NOT_WANTED: [&str; 2] = ["remove_from_cart", "refund"];

/// Which steps of a session become cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reveal {
    /// Predict every click but the first from those before it.
    EveryStep,
    /// Predict only the last click: the file says what was known before it.
    LastStep,
}

/// The events of test sessions, and the cases derived from them.
#[derive(Debug)]
pub struct Cases {
    /// The columns of the table of events, grouped by session, oldest event first.
    events: RecordBatch,
    items: StringArray,
    /// Whether each event is a target.
    is_wanted: Vec<bool>,
    cases: Vec<Case>,
    sessions: usize,
}

/// One step of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// The session's number, from 0.
    pub session: usize,
    known: Range<usize>,
    to_come: Range<usize>,
}

impl Cases {
    /// Splits sessions into cases. Sessions with a single event have none.
    ///
    /// # Errors
    /// When the events lack `session_id` or `item_id`.
    pub fn new(events: RecordBatch, reveal: Reveal) -> Result<Self, EvaluationError> {
        let sessions = texts(&events, "session_id")?;
        let items = texts(&events, "item_id")?;
        let is_wanted = is_wanted(&events)?;
        let (mut cases, mut count, mut start) = (vec![], 0, 0);
        while start < sessions.len() {
            let id = sessions.value(start);
            let end = (start..sessions.len())
                .find(|row| sessions.value(*row) != id)
                .unwrap_or(sessions.len());
            let first = match reveal {
                Reveal::EveryStep => start + 1,
                Reveal::LastStep => (end - 1).max(start + 1),
            };
            let steps = (first..end).filter(|step| is_wanted[*step]);
            cases.extend(steps.map(|step| Case {
                session: count,
                known: start.max(step.saturating_sub(KNOWN))..step,
                to_come: step..end,
            }));
            (start, count) = (end, count + 1);
        }
        Ok(Self {
            events,
            items,
            is_wanted,
            cases,
            sessions: count,
        })
    }

    /// All cases, grouped by session.
    pub fn all(&self) -> &[Case] {
        &self.cases
    }

    /// The number of sessions.
    pub fn sessions(&self) -> usize {
        self.sessions
    }

    /// The next item.
    pub fn next(&self, case: &Case) -> &str {
        self.items.value(case.to_come.start)
    }

    /// The items still to come, with repeats.
    pub fn to_come(&self, case: &Case) -> impl Iterator<Item = &str> {
        let wanted = case.to_come.clone().filter(|row| self.is_wanted[*row]);
        wanted.map(|row| self.items.value(row))
    }

    /// The known events of some cases, with one session per case; see [`number`].
    ///
    /// # Errors
    /// When the rows cannot be copied.
    pub fn known(&self, numbers: Range<usize>) -> Result<RecordBatch, DataFusionError> {
        let (mut rows, mut ids) = (vec![], vec![]);
        for number in numbers {
            for row in self.cases[number].known.clone() {
                rows.push(row as u64);
                ids.push(format!("{ID}{number}"));
            }
        }
        let known = take_record_batch(&self.events, &UInt64Array::from(rows))?;
        let schema = known.schema();
        let place = schema.index_of("session_id")?;
        let mut columns = known.columns().to_vec();
        columns[place] = cast(&StringArray::from(ids), schema.field(place).data_type())?;
        Ok(RecordBatch::try_new(schema, columns)?)
    }
}

/// Whether each event is a target; all are if the events have no types.
fn is_wanted(events: &RecordBatch) -> Result<Vec<bool>, DataFusionError> {
    if events.column_by_name("event_type").is_none() {
        return Ok(vec![true; events.num_rows()]);
    }
    let types = texts(events, "event_type")?;
    let is_wanted = types
        .iter()
        .map(|of_event| of_event.is_none_or(|of_event| !NOT_WANTED.contains(&of_event)));
    Ok(is_wanted.collect())
}

/// The number of the case that a session ID refers to.
pub fn number(session_id: &str) -> Option<usize> {
    session_id.strip_prefix(ID)?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use arrow::array::ArrayRef;

    use super::*;

    fn events(rows: &[(&str, &str)]) -> RecordBatch {
        let column = |values: Vec<&str>| Arc::new(StringArray::from(values)) as ArrayRef;
        let columns = [
            ("session_id", column(rows.iter().map(|row| row.0).collect())),
            ("item_id", column(rows.iter().map(|row| row.1).collect())),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    #[test]
    fn every_step_is_a_case_of_what_came_before_it() {
        let rows = [("s", "a"), ("s", "b"), ("s", "c"), ("one", "x"), ("t", "d"), ("t", "e")];
        let cases = Cases::new(events(&rows), Reveal::EveryStep).unwrap();
        let nexts: Vec<(usize, &str)> = cases
            .all()
            .iter()
            .map(|case| (case.session, cases.next(case)))
            .collect();
        assert_eq!((nexts, cases.sessions()), (vec![(0, "b"), (0, "c"), (2, "e")], 3));
        assert_eq!(cases.to_come(&cases.all()[0]).collect::<Vec<_>>(), ["b", "c"]);

        let known = cases.known(1..3).unwrap();
        let (sessions, items) = (texts(&known, "session_id").unwrap(), texts(&known, "item_id").unwrap());
        let rows: Vec<_> = sessions
            .iter()
            .flatten()
            .map(number)
            .zip(items.iter().flatten())
            .collect();
        assert_eq!(rows, [(Some(1), "a"), (Some(1), "b"), (Some(2), "d")]);

        let last = Cases::new(events(&[("s", "a"), ("s", "b"), ("s", "c")]), Reveal::LastStep).unwrap();
        assert_eq!((last.all().len(), last.next(&last.all()[0])), (1, "c"));
    }

    #[test]
    fn a_removal_is_known_but_no_target() {
        let column = |values: [&str; 4]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
        let events = RecordBatch::try_from_iter([
            ("session_id", column(["s"; 4])),
            ("item_id", column(["a", "b", "a", "c"])),
            (
                "event_type",
                column(["add_to_cart", "view", "remove_from_cart", "view"]),
            ),
        ])
        .unwrap();
        let cases = Cases::new(events, Reveal::EveryStep).unwrap();
        let nexts: Vec<&str> = cases.all().iter().map(|case| cases.next(case)).collect();
        assert_eq!(nexts, ["b", "c"]);
        assert_eq!(cases.to_come(&cases.all()[0]).collect::<Vec<_>>(), ["b", "c"]);
        assert_eq!(cases.known(1..2).unwrap().num_rows(), 3);
    }
}
