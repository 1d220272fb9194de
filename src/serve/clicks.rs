//! The newest events of `silver.events`, in memory, by session: what a session did a moment ago counts at once, and no
//! request looks for it in files. Half of a session is none: a session that began before what is here is not known.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::{cast, interleave_record_batch};
use arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;
use datafusion::error::DataFusionError;

use twox_hash::XxHash64;
use xorf::{BinaryFuse8, Filter};

use crate::recommender::texts;

/// Where a row is: the batch, counted from the first one ever, and its row.
type Place = (usize, usize);

/// Rows of `silver.events` as they came, at most so many.
#[derive(Debug, Default)]
pub(super) struct Clicks {
    schema: Option<SchemaRef>,
    batches: VecDeque<RecordBatch>,
    /// The number of the first batch that is still here.
    first: usize,
    rows: usize,
    limit: usize,
    by_session: HashMap<Box<str>, Vec<Place>>,
    /// Sessions that began before what was read at first, by hash: some others may be taken for such.
    older: Option<BinaryFuse8>,
    /// Sessions that events here have been forgotten of, by hash.
    forgotten: HashSet<u64>,
}

impl Clicks {
    /// Keeps at most so many events, or a batch if that is more. Sessions of these hashes have events that will not come
    /// here.
    pub fn new(limit: usize, mut older: Vec<u64>) -> Self {
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
            ..Self::default()
        }
    }

    fn is_older(&self, session: &str) -> bool {
        let hash = hash(session);
        self.forgotten.contains(&hash) || self.older.as_ref().is_some_and(|older| older.contains(&hash))
    }

    /// Adds rows that were committed. An event that comes again, because it now belongs to another session, leaves its
    /// former sessions (`replaced_session_ids`): those are forgotten here, and read from the lake when asked for.
    pub fn add(&mut self, events: RecordBatch) -> Result<(), DataFusionError> {
        let events = self.conform(&events)?;
        let sessions = texts(&events, "session_id")?;
        for former in replaced(&events)? {
            self.by_session.remove(former.as_str());
            self.forgotten.insert(hash(&former));
        }
        let batch = self.first + self.batches.len();
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

    /// The columns as the first rows had them: a scan of new files may call others nullable.
    fn conform(&mut self, events: &RecordBatch) -> Result<RecordBatch, DataFusionError> {
        let schema = self.schema.get_or_insert_with(|| {
            let fields = events.schema_ref().fields().iter();
            let nullable = fields.map(|field| field.as_ref().clone().with_nullable(true));
            Arc::new(Schema::new(nullable.collect::<Vec<_>>()))
        });
        let column = |field: &FieldRef| {
            let column = events.column(events.schema_ref().index_of(field.name())?);
            cast(column, field.data_type())
        };
        let columns = schema.fields().iter().map(column).collect::<Result<Vec<_>, _>>()?;
        Ok(RecordBatch::try_new(schema.clone(), columns)?)
    }

    /// Whether so many sessions are known to be missing that it is better to read everything again.
    pub fn is_worn(&self) -> bool {
        self.forgotten.len() > self.limit
    }

    /// The oldest batches go where there are too many, and with them the sessions that had events there: half of a session
    /// is none.
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
            self.by_session.retain(|session, places| {
                let whole = places.first().is_some_and(|(batch, _)| *batch >= first);
                if !whole {
                    forgotten.insert(hash(session));
                }
                whole
            });
        }
    }

    /// How many events are here.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// How many events a session has here; 0 where it is not known. Changes whenever the session does.
    pub fn count(&self, session: &str) -> usize {
        self.by_session.get(session).map_or(0, Vec::len)
    }

    /// The events of a session, where all of them are here.
    pub fn of(&self, session: &str) -> Option<Result<RecordBatch, ArrowError>> {
        let places = self.by_session.get(session)?;
        let mut batches: Vec<usize> = places.iter().map(|(batch, _)| *batch).collect();
        batches.dedup();
        let at = |batch: usize| &self.batches[batch - self.first];
        let held: Vec<&RecordBatch> = batches.iter().map(|batch| at(*batch)).collect();
        let mut indices = Vec::with_capacity(places.len());
        let mut held_index = 0;
        for (batch, row) in places {
            // Places are in the order in which batches came.
            while batches[held_index] != *batch {
                held_index += 1;
            }
            indices.push((held_index, *row));
        }
        Some(interleave_record_batch(&held, &indices))
    }
}

/// What a session is known by where there are too many to keep their ids.
pub(super) fn hash(session: &str) -> u64 {
    XxHash64::oneshot(0, session.as_bytes())
}

/// The sessions that events of this batch have left.
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
    use arrow::array::{ArrayRef, StringArray};

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
        let mut clicks = Clicks::new(100, vec![]);
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
        let mut clicks = Clicks::new(3, vec![]);
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
        let mut clicks = Clicks::new(100, vec![hash("old"), hash("old"), hash("other")]);
        clicks.add(events(&["old", "new"], &["1", "2"])).unwrap();
        assert_eq!(items(&clicks, "old"), None);
        assert_eq!(items(&clicks, "new").unwrap(), ["2"]);
    }
}
