//! Detects test sessions in the training data: the figures would then measure memory instead of prediction.
//!
//! If both files have times, an event is identified by its session, item and time, and one common event is enough. If
//! they have only positions, sessions are compared by their items, which short sessions share by chance, and by their
//! IDs, which many published files number from 0 in each file. Therefore only long sessions (five items or more), or a
//! majority, count as evidence. Matches under other IDs, if most sessions have one, are refused where both files have
//! times, and cause a warning where they have only positions (those of fewer than three items are ignored there). Fewer
//! matches cause a warning with times, and none without.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hasher;
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::ident;
use futures::TryStreamExt;
use twox_hash::XxHash64;

use super::EvaluationError;
use super::cases::Reveal;
use super::import_sql::Order;
use crate::plural::counted;
use crate::recommender::texts;

/// Sessions with this many items no longer match by chance.
const LONG: usize = 5;
/// Without times, shorter sessions are ignored.
const SHORT: usize = 3;
/// The maximum number of examples in a message.
const EXAMPLES: usize = 3;

/// Rejects test sessions that occur in the training events, and warns about possible ones.
///
/// # Errors
/// When there are any, or the training events cannot be read.
pub(super) async fn check(
    files: (&Path, &Path),
    train: &DataFrame,
    test: &RecordBatch,
    reveal: Reveal,
    order: Order,
) -> Result<(), EvaluationError> {
    let mut overlap = Overlap::new(test, reveal, order)?;
    let sort = ["session_id", "event_at"].map(|column| ident(column).sort(true, true));
    let mut rows = train.clone().sort(sort.to_vec())?.execute_stream().await?;
    while let Some(batch) = rows.try_next().await? {
        overlap.add(&batch)?;
    }
    overlap.end_session();
    let finding = overlap.finding();
    let (train, test) = files;
    let help = "split the events at a point in time: earlier sessions into the training file, later ones into \
                the test file. `clickrec evaluate --data FILE` splits a file in this way (--test-share, --test-days)";
    if let Some(sessions) = finding.refused {
        return Err(EvaluationError::Learned {
            train: train.to_owned(),
            test: test.to_owned(),
            sessions: sessions.len(),
            of: finding.of,
            examples: overlap.examples(&sessions),
            help,
        });
    }
    for (sessions, what) in finding.doubtful {
        let of = finding.of;
        let (one, many) = (format!("of {of} sessions has"), format!("of {of} sessions have"));
        tracing::warn!(
            "{}: {} {what} {} (for example {})\n  help: {help}",
            test.display(),
            counted(sessions.len() as u64, &one, &many),
            train.display(),
            overlap.examples(&sessions)
        );
    }
    Ok(())
}

/// A session, represented by its events.
#[derive(Debug, Default)]
struct Session {
    id: String,
    events: Vec<u64>,
    /// A hash of all its events in order.
    fingerprint: u64,
}

impl Session {
    fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            ..Self::default()
        }
    }

    fn add(&mut self, event: u64) {
        self.events.push(event);
        let mut hasher = XxHash64::with_seed(self.fingerprint);
        hasher.write_u64(event);
        self.fingerprint = hasher.finish();
    }
}

/// Compares test sessions with training events as these stream past, session by session.
struct Overlap {
    order: Order,
    test: Vec<Session>,
    by_id: HashMap<String, Vec<usize>>,
    by_fingerprint: HashMap<u64, Vec<usize>>,
    /// The current training session.
    current: Option<Session>,
    /// Test sessions that share an event, or the whole sequence of items, with the training session of the same ID.
    same: BTreeSet<usize>,
    /// Test sessions that have the ID of a training session, but other events.
    split: BTreeSet<usize>,
    /// Test sessions that are a prefix of a training session of any ID.
    alike: BTreeSet<usize>,
}

/// The result of the comparison.
struct Finding {
    refused: Option<BTreeSet<usize>>,
    doubtful: Vec<(BTreeSet<usize>, &'static str)>,
    /// The number of test sessions with cases.
    of: usize,
}

impl Overlap {
    fn new(test: &RecordBatch, reveal: Reveal, order: Order) -> Result<Self, EvaluationError> {
        let mut sessions: Vec<Session> = vec![];
        let mut last = None;
        for_each_event(test, order, |id, event| {
            if last.as_deref() != Some(id) {
                last = Some(id.to_owned());
                sessions.push(Session::new(match reveal {
                    Reveal::EveryStep => id,
                    // Each row of such a file is a session, identified by its ID and row number.
                    Reveal::LastStep => id.rsplit_once('#').map_or(id, |(id, _)| id),
                }));
            }
            if let Some(session) = sessions.last_mut() {
                session.add(event);
            }
        })?;
        // A session with one event has no cases.
        sessions.retain(|session| session.events.len() > 1);
        let (mut by_id, mut by_fingerprint) = (HashMap::<_, Vec<_>>::new(), HashMap::<_, Vec<_>>::new());
        for (number, session) in sessions.iter().enumerate() {
            by_id.entry(session.id.clone()).or_default().push(number);
            by_fingerprint.entry(session.fingerprint).or_default().push(number);
        }
        Ok(Self {
            order,
            test: sessions,
            by_id,
            by_fingerprint,
            current: None,
            same: BTreeSet::new(),
            split: BTreeSet::new(),
            alike: BTreeSet::new(),
        })
    }

    /// Adds training events, sorted by session and time.
    fn add(&mut self, train: &RecordBatch) -> Result<(), EvaluationError> {
        for_each_event(train, self.order, |id, event| {
            if self.current.as_ref().is_none_or(|current| current.id != id) {
                self.end_session();
                self.current = Some(Session::new(id));
            }
            if let Some(current) = &mut self.current {
                current.add(event);
                let alike = self.by_fingerprint.get(&current.fingerprint);
                self.alike.extend(alike.into_iter().flatten());
            }
        })
    }

    fn end_session(&mut self) {
        let Some(train) = self.current.take() else { return };
        for number in self.by_id.get(&train.id).into_iter().flatten() {
            let test = &self.test[*number].events;
            let is_same = match self.order {
                Order::Time => {
                    let known: BTreeSet<&u64> = train.events.iter().collect();
                    test.iter().any(|event| known.contains(event))
                }
                Order::Position => train.events.windows(test.len()).any(|events| events == test),
            };
            let into = if is_same { &mut self.same } else { &mut self.split };
            into.insert(*number);
        }
    }

    fn finding(&self) -> Finding {
        let of = self.test.len();
        let of_length = |sessions: &BTreeSet<usize>, length: usize| -> BTreeSet<usize> {
            let is_long = |number: &usize| self.test[*number].events.len() >= length;
            sessions.iter().copied().filter(is_long).collect()
        };
        let are_most = |sessions: &BTreeSet<usize>| 2 * sessions.len() > of;
        let timed = self.order == Order::Time;
        let is_refused = are_most(&self.same) || !of_length(&self.same, if timed { 0 } else { LONG }).is_empty();
        let refused = match (is_refused, timed && are_most(&self.alike)) {
            (true, _) => Some(self.same.clone()),
            (false, true) => Some(self.alike.clone()),
            (false, false) => None,
        };
        let mut doubtful = vec![];
        let alike = of_length(&self.alike, if timed { 0 } else { SHORT });
        if timed && !alike.is_empty() {
            doubtful.push((alike, "the same items at the same times as sessions with other IDs in"));
        } else if !timed && are_most(&alike) {
            doubtful.push((alike, "the same items in the same order as sessions in"));
        }
        if timed && !self.split.is_empty() {
            doubtful.push((self.split.clone(), "the same ID as a session, but different events, in"));
        }
        Finding { refused, doubtful, of }
    }

    fn examples(&self, sessions: &BTreeSet<usize>) -> String {
        let ids: Vec<&str> = sessions.iter().map(|number| self.test[*number].id.as_str()).collect();
        ids[..ids.len().min(EXAMPLES)].join(", ")
    }
}

/// Calls `take` with the session and the hash of each event.
fn for_each_event(events: &RecordBatch, order: Order, mut take: impl FnMut(&str, u64)) -> Result<(), EvaluationError> {
    let (sessions, items) = (texts(events, "session_id")?, texts(events, "item_id")?);
    let times = match (order, events.column_by_name("event_at")) {
        // Milliseconds, because simultaneous clicks were placed a microsecond apart, in the order of their lines.
        (Order::Time, Some(times)) => {
            let times = cast(times, &DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())))?;
            Some(cast(&times, &DataType::Int64)?)
        }
        _ => None,
    };
    let times = times.as_ref().map(|times| times.as_primitive::<Int64Type>());
    for row in (0..events.num_rows()).filter(|row| sessions.is_valid(*row)) {
        let mut hasher = XxHash64::with_seed(0);
        hasher.write(items.value(row).as_bytes());
        if let Some(times) = times {
            hasher.write_i64(times.value(row));
        }
        take(sessions.value(row), hasher.finish());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use arrow::array::{ArrayRef, StringArray, TimestampMicrosecondArray};

    use super::*;

    /// A session: its ID, and its items with their seconds.
    type Given<'a> = (&'a str, &'a [(&'a str, i64)]);

    fn events(sessions: &[Given<'_>]) -> RecordBatch {
        let rows: Vec<(&str, &str, i64)> = sessions
            .iter()
            .flat_map(|(id, events)| events.iter().map(move |(item, second)| (*id, *item, *second)))
            .collect();
        let text = |values: Vec<&str>| Arc::new(StringArray::from(values)) as ArrayRef;
        let times: Vec<i64> = rows.iter().map(|row| row.2 * 1_000_000).collect();
        RecordBatch::try_from_iter([
            ("session_id", text(rows.iter().map(|row| row.0).collect())),
            ("item_id", text(rows.iter().map(|row| row.1).collect())),
            (
                "event_at",
                Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC")) as ArrayRef,
            ),
        ])
        .unwrap()
    }

    /// The number of test sessions that cause a rejection, and the number that cause a warning.
    fn judged(train: &[Given<'_>], test: &[Given<'_>], reveal: Reveal, order: Order) -> (usize, Vec<usize>) {
        let mut overlap = Overlap::new(&events(test), reveal, order).unwrap();
        // Sessions continue in the next batch.
        let train = events(train);
        let half = train.num_rows() / 2;
        overlap.add(&train.slice(0, half)).unwrap();
        overlap.add(&train.slice(half, train.num_rows() - half)).unwrap();
        overlap.end_session();
        let finding = overlap.finding();
        let doubtful = finding.doubtful.iter().map(|(sessions, _)| sessions.len()).collect();
        (finding.refused.map_or(0, |sessions| sessions.len()), doubtful)
    }

    const S1: Given<'_> = ("s1", &[("a", 10), ("b", 20), ("c", 30)]);
    const S2: Given<'_> = ("s2", &[("a", 11), ("c", 21)]);
    const S3: Given<'_> = ("s3", &[("d", 12), ("e", 22)]);
    const LATER: Given<'_> = ("s9", &[("a", 900), ("b", 910)]);

    #[test]
    fn events_with_times_in_both_files_are_refused() {
        let timed = |train: &[Given<'_>], test: &[Given<'_>]| judged(train, test, Reveal::EveryStep, Order::Time);
        assert_eq!(timed(&[S1, S2, S3], &[S1, S2, S3]).0, 3, "the same file");
        assert_eq!(timed(&[S1, S2, S3], &[S2, LATER]).0, 1, "some of it");
        assert_eq!(timed(&[S1, S2], &[("s1", &[("c", 30), ("d", 40)])]).0, 1, "one event");
        let renamed: [Given<'_>; 2] = [("x", S1.1), ("y", S3.1)];
        assert_eq!(timed(&[S1, S2, S3], &renamed).0, 2, "by other IDs");
        assert_eq!(
            timed(&[S1, S2, S3], &[renamed[0], LATER]),
            (0, vec![1]),
            "one of two may be chance"
        );
        let begun: Given<'_> = ("x", &S1.1[..2]);
        assert_eq!(timed(&[S1, S2], &[begun]).0, 1, "the beginning of a session");
    }

    #[test]
    fn sessions_that_are_cut_in_two_are_doubtful_and_others_fine() {
        let timed = |train: &[Given<'_>], test: &[Given<'_>]| judged(train, test, Reveal::EveryStep, Order::Time);
        assert_eq!(timed(&[S1, S2], &[("s1", &[("d", 40), ("e", 50)])]), (0, vec![1]));
        assert_eq!(
            timed(&[S1, S2, S3], &[LATER]),
            (0, vec![]),
            "the same items at another time"
        );
        assert_eq!(
            timed(&[S1], &[("s1", &[("a", 10)]), LATER]),
            (0, vec![]),
            "of one event nothing is asked"
        );
    }

    #[test]
    fn sessions_without_times_are_the_same_where_they_are_long_or_most() {
        let long: Given<'_> = ("l", &[("a", 1), ("b", 2), ("c", 3), ("d", 4), ("e", 5), ("f", 6)]);
        let untimed = |train: &[Given<'_>], test: &[Given<'_>]| judged(train, test, Reveal::EveryStep, Order::Position);
        assert_eq!(untimed(&[S1, S2, S3], &[S1, S2, S3]).0, 3, "the same file");
        assert_eq!(
            untimed(&[S1, S2, S3], &[S3, LATER, ("s2", &[("x", 1), ("y", 2)])]),
            (0, vec![])
        );
        assert_eq!(
            untimed(&[long, S1, S2], &[long, LATER, S3]).0,
            1,
            "a long match is no coincidence"
        );
        assert_eq!(
            untimed(&[long, S1, S2], &[("z", long.1)]),
            (0, vec![1]),
            "by another ID"
        );

        let published =
            |train: &[Given<'_>], test: &[Given<'_>]| judged(train, test, Reveal::LastStep, Order::Position);
        let prefixes: [Given<'_>; 2] = [("l#1", &long.1[..5]), ("l#2", &long.1[1..])];
        assert_eq!(published(&[long, S1], &prefixes).0, 2, "prefixes of training sessions");
        let others: [Given<'_>; 3] = [("s1#1", &[("a", 1), ("b", 2)]), ("s2#2", S3.1), ("s3#3", S2.1)];
        assert_eq!(
            published(&[S1, S2, S3], &others),
            (0, vec![]),
            "IDs that are counted in each file"
        );
    }
}
