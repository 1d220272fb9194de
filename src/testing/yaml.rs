//! Formats Arrow rows as YAML: one flow mapping per row, without NULL columns.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt64Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use super::diff::texts;
use crate::settings::yaml_quoted;

/// `{ event_id: 'e1', offset: 3 }`, one per row.
pub(super) fn rows(batch: &RecordBatch) -> Result<Vec<String>, ArrowError> {
    let columns = batch.columns().iter().map(values).collect::<Result<Vec<_>, _>>()?;
    let names: Vec<String> = batch
        .schema_ref()
        .fields()
        .iter()
        .map(|field| key(field.name()))
        .collect();
    let row = |row: usize| {
        mapping(
            names
                .iter()
                .zip(&columns)
                .map(|(name, column)| (name.as_str(), column[row].as_ref())),
        )
    };
    Ok((0..batch.num_rows()).map(row).collect())
}

/// The rows that YAML can represent: all but those with bytes that are not text.
pub(super) fn writable_rows(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let is_text = |row: usize| {
        let mut columns = batch
            .columns()
            .iter()
            .filter_map(|column| column.as_binary_opt::<i32>());
        columns.all(|column| column.is_null(row) || std::str::from_utf8(column.value(row)).is_ok())
    };
    let rows = (0..batch.num_rows()).filter(|row| is_text(*row)).map(|row| row as u64);
    take_record_batch(batch, &UInt64Array::from_iter_values(rows))
}

/// The values of a column; `None` for NULL.
fn values(column: &ArrayRef) -> Result<Vec<Option<String>>, ArrowError> {
    match column.data_type() {
        DataType::List(_) => {
            let lists = column.as_list::<i32>();
            let items = lists.iter().map(|list| list.map(|list| values(&list)).transpose());
            let text = |items: Vec<Option<String>>| {
                let items = items.into_iter().map(|item| item.unwrap_or_else(|| "null".to_owned()));
                format!("[{}]", items.collect::<Vec<_>>().join(", "))
            };
            items.map(|items| Ok(items?.map(text))).collect()
        }
        DataType::Struct(fields) => {
            let structs = column.as_struct();
            let columns = structs.columns().iter().map(values).collect::<Result<Vec<_>, _>>()?;
            let names: Vec<String> = fields.iter().map(|field| key(field.name())).collect();
            let of = |row: usize| {
                names
                    .iter()
                    .zip(&columns)
                    .map(move |(name, column)| (name.as_str(), column[row].as_ref()))
            };
            Ok((0..column.len())
                .map(|row| column.is_valid(row).then(|| mapping(of(row))))
                .collect())
        }
        data_type => {
            let is_plain = data_type.is_integer() || data_type.is_floating() || *data_type == DataType::Boolean;
            let plain = |text: String| match is_plain && !text.contains(['N', 'i']) {
                true => text,
                // A non-finite number is written as text, which is cast back.
                false => yaml_quoted(&text),
            };
            Ok(texts(column)?.into_iter().map(|text| text.map(plain)).collect())
        }
    }
}

fn mapping<'a>(entries: impl Iterator<Item = (&'a str, Option<&'a String>)>) -> String {
    let entries = entries.filter_map(|(name, value)| Some(format!("{name}: {}", value?)));
    match entries.collect::<Vec<_>>().join(", ") {
        empty if empty.is_empty() => "{}".to_owned(),
        entries => format!("{{ {entries} }}"),
    }
}

fn key(name: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    match name.chars().all(is_plain) && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
        true => name.to_owned(),
        false => yaml_quoted(name),
    }
}
