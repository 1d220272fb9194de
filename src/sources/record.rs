//! A record as it arrived: topic, partition, offset, timestamp, key, value, headers, the same for Kafka and files; and
//! its columns in a batch, which is full at 16,384 records or 16 MiB. Of a file, the topic is its name and the offset
//! the line. A value may be NULL (a tombstone).

use std::sync::{Arc, LazyLock};

use arrow::array::{
    ArrayRef, AsArray, BinaryBuilder, Int32Builder, Int64Builder, ListBuilder, RecordBatch, RecordBatchOptions,
    StringBuilder, StructBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;

/// A batch is full at this many records, or this many bytes of keys and values.
const BATCH_RECORDS: usize = 16_384;
const BATCH_BYTES: usize = 16 << 20;
const UTC: &str = "UTC";

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("topic", DataType::Utf8, true),
        Field::new("partition", DataType::Int32, true),
        Field::new("offset", DataType::Int64, true),
        Field::new(
            "timestamp",
            DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
            true,
        ),
        Field::new("key", DataType::Binary, true),
        Field::new("value", DataType::Binary, true),
        Field::new("headers", DataType::List(header_field()), true),
    ]))
});

fn header_fields() -> Fields {
    Fields::from(vec![
        Field::new("key", DataType::Utf8, true),
        Field::new("value", DataType::Binary, true),
    ])
}

fn header_field() -> Arc<Field> {
    Arc::new(Field::new("element", DataType::Struct(header_fields()), true))
}

/// The columns of a record: `topic, partition, offset, timestamp, key, value, headers`. All are nullable, because
/// inserts leave most of them to the broker.
///
/// For a record from a file, `topic` is the file, `partition` is 0, `offset` is the line, `timestamp` is when the
/// source found it, and `key` and `headers` are NULL.
pub fn record_schema() -> SchemaRef {
    SCHEMA.clone()
}

/// The values of records, without those that have none.
pub fn values(records: &RecordBatch) -> Vec<Vec<u8>> {
    let column = records.column_by_name("value");
    let values = column.and_then(|column| column.as_binary_opt::<i32>());
    let values = values.into_iter().flat_map(|values| values.iter().flatten());
    values.map(<[u8]>::to_vec).collect()
}

/// A record that borrows from the reader.
#[derive(Debug, Clone, Copy)]
pub struct RecordRef<'a> {
    /// Topic, or file.
    pub topic: &'a str,
    /// Kafka's partition, or 0.
    pub partition: i32,
    /// Kafka's offset, or the line.
    pub offset: i64,
    /// Microseconds since 1970.
    pub timestamp: Option<i64>,
    /// The raw key.
    pub key: Option<&'a [u8]>,
    /// The raw value; NULL for a tombstone.
    pub value: Option<&'a [u8]>,
}

/// Collects records into Arrow columns, but only the requested ones.
#[derive(Debug)]
pub struct RecordBatchBuilder {
    schema: SchemaRef,
    columns: Vec<Column>,
    records: usize,
    bytes: usize,
}

#[derive(Debug)]
enum Column {
    Topic(StringBuilder),
    Partition(Int32Builder),
    Offset(Int64Builder),
    Timestamp(TimestampMicrosecondBuilder),
    Key(BinaryBuilder),
    Value(BinaryBuilder),
    Headers(ListBuilder<StructBuilder>),
}

impl RecordBatchBuilder {
    /// Builds the columns of [`record_schema`] at these indices, or all of them for `None`.
    pub fn new(projection: Option<&[usize]>) -> Self {
        let all: Vec<usize> = (0..SCHEMA.fields().len()).collect();
        let indices = projection.unwrap_or(&all);
        let fields: Fields = indices.iter().map(|index| SCHEMA.fields()[*index].clone()).collect();
        let columns = indices.iter().map(|index| Column::new(*index)).collect();
        Self {
            schema: Arc::new(Schema::new(fields)),
            columns,
            records: 0,
            bytes: 0,
        }
    }

    /// The columns that are built.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Adds a record. `headers` is called only if headers are requested; it receives a function that adds one header.
    pub fn append(&mut self, record: &RecordRef<'_>, headers: impl Fn(&mut dyn FnMut(&str, Option<&[u8]>))) {
        self.records += 1;
        self.bytes += record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
        for column in &mut self.columns {
            match column {
                Column::Topic(column) => column.append_value(record.topic),
                Column::Partition(column) => column.append_value(record.partition),
                Column::Offset(column) => column.append_value(record.offset),
                Column::Timestamp(column) => column.append_option(record.timestamp),
                Column::Key(column) => column.append_option(record.key),
                Column::Value(column) => column.append_option(record.value),
                Column::Headers(column) => append_headers(column, &headers),
            }
        }
    }

    /// How many records are in the current batch.
    pub fn len(&self) -> usize {
        self.records
    }

    /// Whether the current batch has no records.
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Whether the current batch should be taken.
    pub fn is_full(&self) -> bool {
        self.records >= BATCH_RECORDS || self.bytes >= BATCH_BYTES
    }

    /// Takes the batch and starts a new one.
    ///
    /// # Errors
    /// When a column exceeds what Arrow can address.
    pub fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        let columns = self.columns.iter_mut().map(Column::finish).collect();
        // A plain count needs no columns at all.
        let options = RecordBatchOptions::new().with_row_count(Some(self.records));
        (self.records, self.bytes) = (0, 0);
        RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)
    }
}

fn append_headers(column: &mut ListBuilder<StructBuilder>, headers: &impl Fn(&mut dyn FnMut(&str, Option<&[u8]>))) {
    let mut any = false;
    headers(&mut |key, value| {
        any = true;
        let row = column.values();
        if let Some(keys) = row.field_builder::<StringBuilder>(0) {
            keys.append_value(key);
        }
        if let Some(values) = row.field_builder::<BinaryBuilder>(1) {
            values.append_option(value);
        }
        row.append(true);
    });
    column.append(any);
}

impl Column {
    fn new(index: usize) -> Self {
        match index {
            0 => Self::Topic(StringBuilder::new()),
            1 => Self::Partition(Int32Builder::new()),
            2 => Self::Offset(Int64Builder::new()),
            3 => Self::Timestamp(TimestampMicrosecondBuilder::new().with_timezone(UTC)),
            4 => Self::Key(BinaryBuilder::new()),
            5 => Self::Value(BinaryBuilder::new()),
            _ => Self::Headers(
                ListBuilder::new(StructBuilder::from_fields(header_fields(), 0)).with_field(header_field()),
            ),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Topic(column) => Arc::new(column.finish()),
            Self::Partition(column) => Arc::new(column.finish()),
            Self::Offset(column) => Arc::new(column.finish()),
            Self::Timestamp(column) => Arc::new(column.finish()),
            Self::Key(column) | Self::Value(column) => Arc::new(column.finish()),
            Self::Headers(column) => Arc::new(column.finish()),
        }
    }
}
