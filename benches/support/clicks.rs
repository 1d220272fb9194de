//! The same clicks in every format that `ingest` compares.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow::ipc::writer::FileWriter;
use arrow_avro::writer::AvroWriter;
use chrono::DateTime;
use datafusion::parquet::arrow::ArrowWriter;

/// What Silver makes of clicks, as in `sql/silver/clicks.sql`.
pub const COLUMNS: &str = "event_id string, timestamp timestamp, session_id string, user_id string, item_id string, \
                           event_type string, extra rest";
pub const AVRO_SCHEMA: &str = r#"{
    "type": "record", "name": "Click",
    "fields": [
        {"name": "event_id", "type": "string"},
        {"name": "timestamp", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "session_id", "type": "string"},
        {"name": "user_id", "type": ["null", "string"]},
        {"name": "item_id", "type": "string"},
        {"name": "event_type",
         "type": {"type": "enum", "name": "EventType", "symbols": ["view", "add_to_cart", "purchase"]}}
    ]
}"#;
const TYPES: [&str; 3] = ["view", "add_to_cart", "purchase"];
/// 1 March 2026, 10:00 UTC, in milliseconds since 1970.
const START: i64 = 1_772_359_200_000;
const ROWS_OF_A_BATCH: usize = 100_000;
/// Of an Avro block, or an Arrow message.
const ROWS_OF_A_BLOCK: usize = 1_000;

/// A click, by its number.
struct Click(u64);

impl Click {
    fn millis(&self) -> i64 {
        START + 17 * self.0.cast_signed()
    }

    fn time(&self) -> String {
        let time = DateTime::from_timestamp_millis(self.millis()).unwrap();
        time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
    }

    /// Its ID, session, user and item.
    fn ids(&self) -> [String; 4] {
        let n = self.0;
        [
            format!("event-{n}"),
            format!("session-{}", n / 8),
            format!("user-{}", n / 20),
            format!("item-{}", n % 5_000),
        ]
    }

    fn kind(&self) -> usize {
        [0, 0, 0, 1, 0, 2][(self.0 % 6) as usize]
    }
}

/// As JSON.
pub fn json(n: u64) -> Vec<u8> {
    let (click, [id, session, user, item]) = (Click(n), Click(n).ids());
    format!(
        r#"{{"event_id":"{id}","timestamp":"{}","session_id":"{session}","user_id":"{user}","item_id":"{item}","event_type":"{}"}}"#,
        click.time(),
        TYPES[click.kind()]
    )
    .into_bytes()
}

/// As Avro, after the ID of a schema.
pub fn avro(n: u64) -> Vec<u8> {
    let (click, [id, session, user, item]) = (Click(n), Click(n).ids());
    let mut record = vec![0, 0, 0, 0, 1];
    push_text(&id, &mut record);
    push_number(click.millis(), &mut record);
    push_text(&session, &mut record);
    push_number(1, &mut record);
    push_text(&user, &mut record);
    push_text(&item, &mut record);
    push_number(click.kind() as i64, &mut record);
    record
}

fn push_text(text: &str, record: &mut Vec<u8>) {
    push_number(text.len() as i64, record);
    record.extend_from_slice(text.as_bytes());
}

fn push_number(n: i64, record: &mut Vec<u8>) {
    let mut left = (n.cast_unsigned() << 1) ^ (n >> 63).cast_unsigned();
    while left > 0x7f {
        record.push((left & 0x7f) as u8 | 0x80);
        left >>= 7;
    }
    record.push(left as u8);
}

/// A file of JSON lines.
pub fn write_ndjson(path: &Path, numbers: Range<u64>) {
    let mut file = BufWriter::new(File::create(path).unwrap());
    for n in numbers {
        file.write_all(&json(n)).unwrap();
        file.write_all(b"\n").unwrap();
    }
    file.flush().unwrap();
}

/// A file of CSV with a header.
pub fn write_csv(path: &Path, numbers: Range<u64>) {
    let mut file = BufWriter::new(File::create(path).unwrap());
    writeln!(file, "event_id,timestamp,session_id,user_id,item_id,event_type").unwrap();
    for n in numbers {
        let (click, [id, session, user, item]) = (Click(n), Click(n).ids());
        let (time, kind) = (click.time(), TYPES[click.kind()]);
        writeln!(file, "{id},{time},{session},{user},{item},{kind}").unwrap();
    }
    file.flush().unwrap();
}

/// A Parquet file.
pub fn write_parquet(path: &Path, numbers: Range<u64>) {
    let mut writer = None;
    for first in numbers.clone().step_by(ROWS_OF_A_BATCH) {
        let batch = batch(first..numbers.end.min(first + ROWS_OF_A_BATCH as u64));
        let writer = writer
            .get_or_insert_with(|| ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap());
        writer.write(&batch).unwrap();
    }
    writer.unwrap().close().unwrap();
}

/// An Avro file.
pub fn write_avro(path: &Path, numbers: Range<u64>) {
    let file = BufWriter::new(File::create(path).unwrap());
    let schema = batch(0..1).schema();
    let mut writer = AvroWriter::new(file, schema.as_ref().clone()).unwrap();
    blocks(numbers).for_each(|block| writer.write(&block).unwrap());
    writer.finish().unwrap();
    writer.into_inner().flush().unwrap();
}

/// An Arrow file.
pub fn write_arrow(path: &Path, numbers: Range<u64>) {
    let file = BufWriter::new(File::create(path).unwrap());
    let mut writer = FileWriter::try_new(file, &batch(0..1).schema()).unwrap();
    blocks(numbers).for_each(|block| writer.write(&block).unwrap());
    writer.into_inner().unwrap().flush().unwrap();
}

fn blocks(numbers: Range<u64>) -> impl Iterator<Item = RecordBatch> {
    let firsts = numbers.clone().step_by(ROWS_OF_A_BLOCK);
    firsts.map(move |first| batch(first..numbers.end.min(first + ROWS_OF_A_BLOCK as u64)))
}

fn batch(numbers: Range<u64>) -> RecordBatch {
    let id = |place: usize| -> ArrayRef {
        let ids = numbers.clone().map(|n| Click(n).ids()[place].clone());
        Arc::new(StringArray::from_iter_values(ids))
    };
    let times = TimestampMillisecondArray::from_iter_values(numbers.clone().map(|n| Click(n).millis()));
    let kinds = StringArray::from_iter_values(numbers.clone().map(|n| TYPES[Click(n).kind()]));
    let columns: [(&str, ArrayRef); 6] = [
        ("event_id", id(0)),
        ("timestamp", Arc::new(times.with_timezone("UTC"))),
        ("session_id", id(1)),
        ("user_id", id(2)),
        ("item_id", id(3)),
        ("event_type", Arc::new(kinds)),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}
