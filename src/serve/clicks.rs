//! The newest events (`--recent-events`), in memory, by session: the latest clicks count immediately, and no request
//! searches files for them. Partly loaded sessions are not served: a session that began before the loaded events is not
//! known here. Which session is the newest part of an ID that the shop gave is known if its newest event is here
//! (`src/serve/newest_parts.rs`).

use std::collections::{HashMap, HashSet, VecDeque};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::{cast, interleave_record_batch};
use arrow::datatypes::{DataType, FieldRef, SchemaRef};
use arrow::error::ArrowError;
use datafusion::error::DataFusionError;

use xorf::{BinaryFuse8, Filter};

use super::newest_parts::{NewestParts, Place, hash};
use crate::lake::schema::nullable;
use crate::recommender::{GIVEN_SESSION_ID, texts};

/// A limited number of rows of the table of events, in order of arrival.
#[derive(Debug, Default)]
pub(super) struct Clicks {
    schema: Option<SchemaRef>,
    batches: VecDeque<RecordBatch>,
    /// The number of the oldest batch still in memory.
    first: usize,
    rows: usize,
    limit: usize,
    by_session: HashMap<Box<str>, Vec<Place>>,
    /// A filter of hashes of the sessions that began before the initially loaded events; it has some false positives.
    older: Option<BinaryFuse8>,
    /// Hashes of sessions some of whose events have been dropped.
    forgotten: HashSet<u64>,
    newest_parts: NewestParts,
}

impl Clicks {
    /// Keeps at most this many events, or one batch if that is larger. The sessions with these hashes have earlier
    /// events that will never be loaded; all events that happened since then, in microseconds since 1970, will be added
    /// (`None`: all there are).
    pub fn new(limit: usize, mut older: Vec<u64>, since_us: Option<i64>) -> Self {
        older.sort_unstable();
        older.dedup();
        let filter = BinaryFuse8::try_from(&older).ok();
        Self {
            limit,
            forgotten: match &filter {
                Some(_) => HashSet::new(),
                None => older.into_iter().collect(),
            },
            older: filter,
            newest_parts: NewestParts::since(since_us),
            ..Self::default()
        }
    }

    fn is_older(&self, session: &str) -> bool {
        let hash = hash(session);
        self.forgotten.contains(&hash) || self.older.as_ref().is_some_and(|older| older.contains(&hash))
    }

    /// Adds committed rows. An event that arrives again, because it now belongs to another session, is no longer part
    /// of its former sessions (`replaced_session_ids`): those are dropped here, and read from the lake when requested.
    pub fn add(&mut self, events: RecordBatch) -> Result<(), DataFusionError> {
        let events = self.conform(&events)?;
        let sessions = texts(&events, "session_id")?;
        for former in replaced(&events)? {
            self.by_session.remove(former.as_str());
            self.forgotten.insert(hash(&former));
        }
        let batch = self.first + self.batches.len();
        self.newest_parts.add(batch, &events)?;
        for (row, session) in sessions.iter().enumerate() {
            let Some(session) = session else { continue };
            if let Some(places) = self.by_session.get_mut(session) {
                places.push((batch, row));
            } else if !self.is_older(session) {
                self.by_session.insert(session.into(), vec![(batch, row)]);
            }
        }
        self.rows += events.num_rows();
        self.batches.push_back(events);
        Ok(())
    }

    /// Converts to the columns of the first rows: a scan of new files may report different nullability.
    fn conform(&mut self, events: &RecordBatch) -> Result<RecordBatch, DataFusionError> {
        let schema = self.schema.get_or_insert_with(|| nullable(events.schema_ref()));
        let column = |field: &FieldRef| {
            let column = events.column(events.schema_ref().index_of(field.name())?);
            cast(column, field.data_type())
        };
        let columns = schema.fields().iter().map(column).collect::<Result<Vec<_>, _>>()?;
        Ok(RecordBatch::try_new(schema.clone(), columns)?)
    }

    /// Whether so many sessions have been dropped that everything should be reloaded.
    pub fn is_worn(&self) -> bool {
        self.forgotten.len().max(self.newest_parts.forgotten()) > self.limit
    }

    /// Drops the oldest batches if there are too many, along with all sessions that had events in them: partly loaded
    /// sessions are not served.
    pub fn forget(&mut self) {
        let before = self.first;
        while self.rows > self.limit && self.batches.len() > 1 {
            if let Some(oldest) = self.batches.pop_front() {
                self.rows -= oldest.num_rows();
                self.first += 1;
            }
        }
        if self.first > before {
            let (first, forgotten) = (self.first, &mut self.forgotten);
            self.newest_parts.forget(first);
            self.by_session.retain(|session, places| {
                let whole = places.first().is_some_and(|(batch, _)| *batch >= first);
                if !whole {
                    forgotten.insert(hash(session));
                }
                whole
            });
        }
    }

    /// The number of events in memory.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// The session that is the newest part of an ID that the shop gave, if that is known here.
    pub fn newest_part(&self, given: &str) -> Option<String> {
        let (batch, row) = self.newest_parts.of(given)?;
        let events = self.batches.get(batch.checked_sub(self.first)?)?;
        let text = |name: &str| {
            let value = cast(&events.column_by_name(name)?.slice(row, 1), &DataType::Utf8).ok()?;
            value.is_valid(0).then(|| value.as_string::<i32>().value(0).to_owned())
        };
        // Another ID may have the same hash.
        (text(GIVEN_SESSION_ID)? == given).then(|| text("session_id")).flatten()
    }

    /// The number of a session's events in memory; 0 if it is not known. Changes whenever the session does.
    pub fn count(&self, session: &str) -> usize {
        self.by_session.get(session).map_or(0, Vec::len)
    }

    /// The events of a session, if all of them are in memory.
    pub fn of(&self, session: &str) -> Option<Result<RecordBatch, ArrowError>> {
        let places = self.by_session.get(session)?;
        let mut batches: Vec<usize> = places.iter().map(|(batch, _)| *batch).collect();
        batches.dedup();
        let at = |batch: usize| &self.batches[batch - self.first];
        let held: Vec<&RecordBatch> = batches.iter().map(|batch| at(*batch)).collect();
        let mut indices = Vec::with_capacity(places.len());
        let mut held_index = 0;
        for (batch, row) in places {
            // Places are in the order in which batches arrived.
            while batches[held_index] != *batch {
                held_index += 1;
            }
            indices.push((held_index, *row));
        }
        Some(interleave_record_batch(&held, &indices))
    }
}

/// The sessions that the events in this batch have left.
fn replaced(events: &RecordBatch) -> Result<HashSet<String>, DataFusionError> {
    let Some(column) = events.column_by_name("replaced_session_ids") else {
        return Ok(HashSet::new());
    };
    let DataType::List(_) = column.data_type() else {
        return Ok(HashSet::new());
    };
    let ids = cast(column.as_list::<i32>().values(), &DataType::Utf8)?;
    Ok(ids.as_string::<i32>().iter().flatten().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, StringArray, TimestampMicrosecondArray};

    use super::*;

    fn events(sessions: &[&str], items: &[&str]) -> RecordBatch {
        let column = |texts: &[&str]| -> ArrayRef { Arc::new(StringArray::from(texts.to_vec())) };
        RecordBatch::try_from_iter([("session_id", column(sessions)), ("item_id", column(items))]).unwrap()
    }

    fn items(clicks: &Clicks, session: &str) -> Option<Vec<String>> {
        let events = clicks.of(session)?.unwrap();
        Some(
            texts(&events, "item_id")
                .unwrap()
                .iter()
                .flatten()
                .map(str::to_owned)
                .collect(),
        )
    }

    #[test]
    fn a_session_has_its_events_in_the_order_of_their_commits() {
        let mut clicks = Clicks::new(100, vec![], None);
        clicks.add(events(&["a", "b", "a"], &["1", "2", "3"])).unwrap();
        clicks.add(events(&["b"], &["4"])).unwrap();
        clicks.add(events(&["a"], &["5"])).unwrap();
        assert_eq!(items(&clicks, "a").unwrap(), ["1", "3", "5"]);
        assert_eq!(items(&clicks, "b").unwrap(), ["2", "4"]);
        assert_eq!(items(&clicks, "c"), None);
        assert_eq!(clicks.count("a"), 3);
    }

    #[test]
    fn a_session_that_is_not_whole_any_more_is_not_known() {
        let mut clicks = Clicks::new(3, vec![], None);
        clicks.add(events(&["a", "b"], &["1", "2"])).unwrap();
        clicks.add(events(&["a", "c"], &["3", "4"])).unwrap();
        clicks.forget();
        assert_eq!(items(&clicks, "a"), None);
        assert_eq!(items(&clicks, "b"), None);
        assert_eq!(items(&clicks, "c").unwrap(), ["4"]);
        clicks.add(events(&["a"], &["5"])).unwrap();
        assert_eq!(items(&clicks, "a"), None);
    }

    #[test]
    fn a_session_that_began_before_all_that_is_here_is_not_known() {
        let mut clicks = Clicks::new(100, vec![hash("old"), hash("old"), hash("other")], None);
        clicks.add(events(&["old", "new"], &["1", "2"])).unwrap();
        assert_eq!(items(&clicks, "old"), None);
        assert_eq!(items(&clicks, "new").unwrap(), ["2"]);
    }
    /// Events as given ID, session and second.
    fn parts(rows: &[(Option<&str>, &str, i64)]) -> RecordBatch {
        let text = |texts: Vec<Option<&str>>| -> ArrayRef { Arc::new(StringArray::from(texts)) };
        let at: Vec<i64> = rows.iter().map(|(_, _, second)| second * 1_000_000).collect();
        let at = TimestampMicrosecondArray::from(at).with_timezone("UTC");
        RecordBatch::try_from_iter([
            (GIVEN_SESSION_ID, text(rows.iter().map(|(given, ..)| *given).collect())),
            (
                "session_id",
                text(rows.iter().map(|(_, session, _)| Some(*session)).collect()),
            ),
            ("event_at", Arc::new(at) as ArrayRef),
        ])
        .unwrap()
    }

    #[test]
    fn the_newest_part_of_an_id_is_that_of_its_newest_event_wherever_it_arrives() {
        let mut clicks = Clicks::new(100, vec![], None);
        clicks
            .add(parts(&[(Some("s"), "s", 1), (Some("s"), "s@2", 9), (None, "u@3", 10)]))
            .unwrap();
        assert_eq!(clicks.newest_part("s").unwrap(), "s@2");
        // What is late is not the newest; what is written again is where it now belongs.
        clicks.add(parts(&[(Some("s"), "s@late", 5)])).unwrap();
        assert_eq!(clicks.newest_part("s").unwrap(), "s@2");
        clicks.add(parts(&[(Some("s"), "s@late", 9)])).unwrap();
        assert_eq!(clicks.newest_part("s").unwrap(), "s@late");
        assert_eq!((clicks.newest_part("s@2"), clicks.newest_part("u")), (None, None));
    }

    #[test]
    fn a_newest_part_is_not_known_once_its_newest_event_is_dropped_or_was_never_loaded() {
        let mut clicks = Clicks::new(2, vec![], Some(5_000_000));
        clicks
            .add(parts(&[(Some("a"), "a@2", 9), (Some("b"), "b", 6)]))
            .unwrap();
        // There may be later events of `c` that are older than all that was loaded.
        clicks.add(parts(&[(Some("a"), "a", 7), (Some("c"), "c", 4)])).unwrap();
        clicks.forget();
        assert_eq!((clicks.newest_part("a"), clicks.newest_part("c")), (None, None));
        clicks.add(parts(&[(Some("a"), "a@3", 10)])).unwrap();
        assert_eq!(clicks.newest_part("a").unwrap(), "a@3");
    }

    #[test]
    fn a_table_without_given_ids_has_no_parts() {
        let mut clicks = Clicks::new(100, vec![], None);
        clicks.add(events(&["a"], &["1"])).unwrap();
        assert_eq!(clicks.newest_part("a"), None);
    }
}
