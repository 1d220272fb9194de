//! Turns the rows of an `insert into kafka.SOURCE` into records. Refuses what a producer cannot write, with an error
//! that names the column: times before 1971 or after 9999, partitions that the topic does not have, another topic, none
//! where there are several, an offset, headers without a key. A partition or time that is NULL is the broker's choice.

use std::collections::BTreeSet;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, Int32Array, Int64Array, ListArray, RecordBatch, StringArray, StructArray,
    TimestampMicrosecondArray, new_null_array,
};
use arrow::compute::kernels::cmp::eq;
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use datafusion::common::{Result, exec_err};
use rdkafka::message::{Header, OwnedHeaders};

use super::{ProducerRecord, Topics};
use crate::plural::counted;
use crate::sources::record_schema;

/// The start of 1971: milliseconds or seconds mistaken for microseconds are earlier.
const FIRST_MILLIS: i64 = 31_536_000_000;
/// The end of the year 9999.
const LAST_MILLIS: i64 = 253_402_300_799_999;

/// A batch of rows, each of which can be sent.
#[derive(Debug)]
pub(super) struct Outgoing {
    keys: BinaryArray,
    values: BinaryArray,
    timestamps: TimestampMicrosecondArray,
    partitions: Int32Array,
    headers: ListArray,
}

impl Outgoing {
    /// Prepares the rows for a topic with this many partitions (0 if unknown).
    ///
    /// # Errors
    /// When a row contains something that cannot be written.
    pub fn new(batch: &RecordBatch, topic: &str, partitions: i32) -> Result<Self> {
        let column = |name: &str| column(batch, name);
        check_topics(column("topic")?.as_string(), topic)?;
        check_offsets(column("offset")?.as_primitive::<Int64Type>())?;
        let rows = Self {
            keys: column("key")?.as_binary().clone(),
            values: column("value")?.as_binary().clone(),
            timestamps: column("timestamp")?.as_primitive::<TimestampMicrosecondType>().clone(),
            partitions: column("partition")?.as_primitive::<Int32Type>().clone(),
            headers: column("headers")?.as_list().clone(),
        };
        check_partitions(&rows.partitions, topic, partitions)?;
        check_times(&rows.timestamps)?;
        (0..batch.num_rows()).try_for_each(|row| check_headers(rows.headers_of(row).as_ref()))?;
        Ok(rows)
    }

    /// Whether any row has a timestamp.
    pub fn has_times(&self) -> bool {
        self.timestamps.null_count() < self.timestamps.len()
    }

    /// The records, in row order.
    pub fn records(&self) -> impl Iterator<Item = ProducerRecord<'_>> {
        (0..self.values.len()).map(|row| ProducerRecord {
            key: self.keys.is_valid(row).then(|| self.keys.value(row)),
            value: self.values.is_valid(row).then(|| self.values.value(row)),
            timestamp_millis: self
                .timestamps
                .is_valid(row)
                .then(|| millis(self.timestamps.value(row))),
            partition: self.partitions.is_valid(row).then(|| self.partitions.value(row)),
            headers: self.headers_of(row).map(|headers| owned(&headers)),
        })
    }

    /// The headers of a row, if it has any.
    fn headers_of(&self, row: usize) -> Option<StructArray> {
        let is_given = self.headers.is_valid(row) && self.headers.value_length(row) > 0;
        is_given.then(|| self.headers.value(row).as_struct().clone())
    }
}

/// A column of records, in its own type; NULL if the batch has no such column.
fn column(batch: &RecordBatch, name: &str) -> Result<ArrayRef> {
    let schema = record_schema();
    let data_type = schema.field_with_name(name)?.data_type();
    match batch.column_by_name(name) {
        Some(column) => Ok(cast(column, data_type)?),
        None => Ok(new_null_array(data_type, batch.num_rows())),
    }
}

/// The rows for each topic: all of them where there is only one, otherwise those that name it.
///
/// # Errors
/// When there are several topics, and a row names none of them.
pub(super) fn by_topic(batch: &RecordBatch, topics: &Topics) -> Result<Vec<(String, RecordBatch)>> {
    if let Some(only) = topics.only() {
        return Ok(vec![(only.to_owned(), batch.clone())]);
    }
    let column = column(batch, "topic")?;
    let column: &StringArray = column.as_string();
    if column.null_count() > 0 {
        return exec_err!(
            "`topic` is missing: this table writes to {topics}, but a row does not say to which one\n  help: name the topic \
             of each row: insert into … (topic, key, value) values ('…', …)"
        );
    }
    let named: BTreeSet<&str> = column.iter().flatten().collect();
    if let Some(topic) = named.iter().find(|topic| !topics.contain(topic)) {
        return exec_err!(
            "`topic` cannot be written: this table writes to {topics}, but a row has topic `{topic}`\n  help: name one \
             of its topics, or insert into the table of the other topic"
        );
    }
    let rows = named.into_iter().map(|topic| -> Result<(String, RecordBatch)> {
        let is_its = eq(column, &StringArray::new_scalar(topic))?;
        Ok((topic.to_owned(), filter_record_batch(batch, &is_its)?))
    });
    rows.collect()
}

/// Kafka's timestamps have no microseconds.
fn millis(micros: i64) -> i64 {
    micros.div_euclid(1_000)
}

fn owned(headers: &StructArray) -> OwnedHeaders {
    let (keys, values) = parts(headers);
    let header = |owned: OwnedHeaders, row: usize| {
        owned.insert(Header {
            key: keys.value(row),
            value: values.is_valid(row).then(|| values.value(row)),
        })
    };
    (0..headers.len()).fold(OwnedHeaders::new_with_capacity(headers.len()), header)
}

fn parts(headers: &StructArray) -> (&StringArray, &BinaryArray) {
    (headers.column(0).as_string(), headers.column(1).as_binary())
}

fn check_topics(topics: &StringArray, own: &str) -> Result<()> {
    match topics.iter().flatten().find(|topic| *topic != own) {
        Some(topic) => exec_err!(
            "`topic` cannot be written: this table writes to topic `{own}`, but a row has topic `{topic}`\n  help: \
             leave `topic` out, or insert into the table of the other topic"
        ),
        None => Ok(()),
    }
}

fn check_offsets(offsets: &Int64Array) -> Result<()> {
    match offsets.iter().flatten().next() {
        Some(offset) => exec_err!(
            "`offset` cannot be written: the broker assigns offsets, but a row has offset {offset}\n  help: name the \
             columns to write: insert into … (key, value, \"timestamp\", headers) select key, value, \"timestamp\", headers \
             from …"
        ),
        None => Ok(()),
    }
}

fn check_partitions(given: &Int32Array, topic: &str, partitions: i32) -> Result<()> {
    let is_wrong = |partition: &i32| *partition < 0 || (partitions > 0 && *partition >= partitions);
    match given.iter().flatten().find(is_wrong) {
        Some(partition) if partitions > 0 => exec_err!(
            "`partition` {partition} does not exist: topic `{topic}` has {}, numbered from 0\n  help: leave \
             `partition` out, or set it to NULL, to let the key decide",
            counted(partitions.unsigned_abs().into(), "partition", "partitions")
        ),
        Some(partition) => exec_err!("`partition` {partition} does not exist: partitions are numbered from 0"),
        None => Ok(()),
    }
}

fn check_times(times: &TimestampMicrosecondArray) -> Result<()> {
    let is_wrong = |micros: &i64| !(FIRST_MILLIS..=LAST_MILLIS).contains(&millis(*micros));
    match times.iter().flatten().find(is_wrong) {
        Some(micros) => exec_err!(
            "`timestamp` {} cannot be written: it is implausible, before 1971 or after 9999\n  help: a number \
             counts microseconds; for other units, use to_timestamp_millis(…) or to_timestamp_seconds(…). NULL is the \
             time at which the record is sent",
            chrono::DateTime::from_timestamp_micros(micros).map_or_else(|| micros.to_string(), |at| at.to_rfc3339())
        ),
        None => Ok(()),
    }
}

fn check_headers(headers: Option<&StructArray>) -> Result<()> {
    let Some(headers) = headers else { return Ok(()) };
    let (keys, _) = parts(headers);
    if headers.null_count() > 0 || keys.null_count() > 0 {
        return exec_err!(
            "`headers` cannot be written: one of them has no key\n  help: write a header as named_struct('key', …, \
             'value', …)"
        );
    }
    match keys.iter().flatten().find(|key| key.contains('\0')) {
        Some(key) => {
            exec_err!(
                "`headers` cannot be written: the key {key:?} contains a NUL character, at which readers would cut it \
                 off"
            )
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use super::*;

    fn refusal(column: &str, value: ArrayRef) -> String {
        let batch = RecordBatch::try_from_iter([(column, value)]).unwrap();
        Outgoing::new(&batch, "t", 2).unwrap_err().to_string()
    }

    #[test]
    fn what_a_producer_cannot_write_is_refused_by_name() {
        let times = |micros| Arc::new(TimestampMicrosecondArray::from(vec![None, Some(micros)])) as ArrayRef;
        let partitions = |partition| Arc::new(Int32Array::from(vec![Some(1), None, Some(partition)])) as ArrayRef;
        for (column, value, expected) in [
            (
                "offset",
                Arc::new(Int64Array::from(vec![None, Some(7)])) as ArrayRef,
                "a row has offset 7",
            ),
            (
                "topic",
                Arc::new(StringArray::from(vec!["t", "other"])),
                "a row has topic `other`",
            ),
            (
                "partition",
                partitions(2),
                "`partition` 2 does not exist: topic `t` has 2",
            ),
            ("partition", partitions(-1), "`partition` -1 does not exist"),
            (
                "timestamp",
                times(0),
                "`timestamp` 1970-01-01T00:00:00+00:00 cannot be written",
            ),
            ("timestamp", times(1_750_000_000_123), "`timestamp` 1970-01-21"),
            (
                "timestamp",
                times(-1),
                "`timestamp` 1969-12-31T23:59:59.999999+00:00 cannot be written",
            ),
            ("timestamp", times(253_402_300_800_000_000), "after 9999"),
        ] {
            let refusal = refusal(column, value);
            assert!(refusal.contains(expected), "{refusal}");
        }
    }

    #[test]
    fn rows_go_to_the_topics_that_they_name() {
        let several = Topics::Named(vec!["a".to_owned(), "b".to_owned()]);
        let of = |topics: Vec<Option<&str>>| {
            let values: ArrayRef = Arc::new(Int64Array::from_iter_values(0..topics.len() as i64));
            let topics: ArrayRef = Arc::new(StringArray::from(topics));
            RecordBatch::try_from_iter_with_nullable([("topic", topics, true), ("value", values, true)]).unwrap()
        };
        let rows = by_topic(&of(vec![Some("b"), Some("a"), Some("b")]), &several).unwrap();
        let rows: Vec<(&str, usize)> = rows
            .iter()
            .map(|(topic, rows)| (topic.as_str(), rows.num_rows()))
            .collect();
        assert_eq!(rows, [("a", 1), ("b", 2)]);
        for (topics, expected) in [
            (
                vec![Some("a"), None],
                "`topic` is missing: this table writes to topics a, b",
            ),
            (vec![Some("a"), Some("c")], "a row has topic `c`"),
        ] {
            let error = by_topic(&of(topics), &several).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("help:"), "{error}");
        }
        let all = by_topic(&of(vec![None, Some("c")]), &Topics::one("a")).unwrap();
        assert_eq!(
            (all.len(), all[0].1.num_rows()),
            (1, 2),
            "what it refuses is told later"
        );
    }

    #[test]
    fn what_is_null_or_the_topics_own_is_no_obstacle() {
        let batch = RecordBatch::try_from_iter([
            ("topic", Arc::new(StringArray::from(vec![Some("t"), None])) as ArrayRef),
            ("offset", Arc::new(Int64Array::from(vec![None, None]))),
            ("value", Arc::new(StringArray::from(vec![Some("a"), None]))),
        ])
        .unwrap();
        let rows = Outgoing::new(&batch, "t", 2).unwrap();
        let values: Vec<_> = rows.records().map(|record| record.value).collect();
        assert_eq!((values, rows.has_times()), (vec![Some(&b"a"[..]), None], false));
    }
}
