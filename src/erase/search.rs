//! A search of every byte below the lake for ids: names of files, logs, checkpoints, whatever lies there; of Parquet files
//! also every value, decompressed and decoded.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, make_array};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use bytes::Bytes;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::Serialize;

use super::ErasureError;
use super::words::Words;
use crate::config::TableName;
use crate::lake::{Lake, LakeFile};

/// Stands for the column of a file that could not be searched.
pub const NOT_READABLE: &str = "(not readable)";

/// What a search found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Searched {
    /// How many files were searched.
    pub files: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// The files, below the lake, that hold one of the ids.
    pub found: Vec<Found>,
}

/// A file that holds one of the ids.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Found {
    /// Its path below the lake.
    pub file: String,
    /// The column, if a value of a data file holds it.
    pub column: Option<String>,
    /// The table whose folder it is in.
    #[serde(skip)]
    pub table: Option<TableName>,
}

/// Searches all files below the lake.
///
/// # Errors
/// When the lake cannot be read.
pub(super) async fn search(lake: &Lake, words: &Arc<Words>) -> Result<Searched, ErasureError> {
    let mut searched = Searched::default();
    for file in lake.files().await? {
        // One that is gone by now needs no search.
        let Some(bytes) = lake.read(&file).await? else { continue };
        searched.files += 1;
        searched.bytes += bytes.len() as u64;
        let (words, name) = (words.clone(), file.name.clone());
        let place = tokio::task::spawn_blocking(move || place_in(&name, bytes, &words)).await;
        match place {
            Ok(None) => {}
            Ok(Some(column)) => searched.found.push(found(&file, column)),
            // A file that makes the search panic has not been searched.
            Err(_) => searched.found.push(found(&file, Some(NOT_READABLE.to_owned()))),
        }
    }
    Ok(searched)
}

fn found(file: &LakeFile, column: Option<String>) -> Found {
    Found {
        file: file.name.clone(),
        column,
        table: file.table(),
    }
}

/// Whether a file holds one of the words; and if so, in which column, if it is a data file.
fn place_in(name: &str, bytes: Bytes, words: &Words) -> Option<Option<String>> {
    if words.in_text(name.as_bytes()) {
        return Some(None);
    }
    let is_parquet = bytes.starts_with(b"PAR1");
    if is_parquet {
        if words.in_binary(&bytes) {
            return Some(None);
        }
        return match column_in(bytes, words) {
            Ok(column) => column.map(Some),
            // A file gets its name when it is complete. One that is being written has no values to read yet.
            Err(_) => name.ends_with(".parquet").then(|| Some(NOT_READABLE.to_owned())),
        };
    }
    (words.in_text(&bytes) || words.in_binary(&bytes)).then_some(None)
}

/// The first column with a value that holds one of the words.
fn column_in(bytes: Bytes, words: &Words) -> Result<Option<String>, ArrowError> {
    for batch in ParquetRecordBatchReaderBuilder::try_new(bytes)?.build()? {
        let batch = batch?;
        let held = batch.columns().iter().position(|column| holds(column, words));
        if let Some(index) = held {
            return Ok(Some(batch.schema().field(index).name().clone()));
        }
    }
    Ok(None)
}

/// Whether a value holds one of the words, also within lists, maps and structs.
fn holds(array: &ArrayRef, words: &Words) -> bool {
    match array.data_type() {
        DataType::Utf8
        | DataType::Utf8View
        | DataType::LargeUtf8
        | DataType::Binary
        | DataType::BinaryView
        | DataType::LargeBinary
        | DataType::FixedSizeBinary(_) => {
            let Ok(values) = cast(array, &DataType::LargeBinary) else {
                return false;
            };
            let mut values = values.as_binary::<i64>().iter().flatten();
            values.any(|value| words.in_text(value))
        }
        DataType::Dictionary(_, _) => holds(array.as_any_dictionary().values(), words),
        _ => {
            let data = array.to_data();
            data.child_data()
                .iter()
                .any(|child| holds(&make_array(child.clone()), words))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow::array::{BinaryArray, ListArray, RecordBatch, StringArray};
    use arrow::datatypes::Int32Type;
    use datafusion::parquet::arrow::ArrowWriter;
    use datafusion::parquet::basic::{Compression, ZstdLevel};
    use datafusion::parquet::file::properties::{EnabledStatistics, WriterProperties};

    use super::*;

    fn parquet(column: ArrayRef) -> Bytes {
        let batch = RecordBatch::try_from_iter([("a", column)]).unwrap();
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).unwrap()))
            .set_statistics_enabled(EnabledStatistics::None)
            .build();
        let mut bytes = vec![];
        let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        bytes.into()
    }

    fn words() -> Words {
        Words::new(["user_47"]).unwrap()
    }

    #[test]
    fn compressed_values_of_every_kind_of_column_are_searched() {
        let mut texts = vec!["user_4"; 1_000];
        texts.push("user_47");
        let text: ArrayRef = Arc::new(StringArray::from(texts.clone()));
        let bytes: ArrayRef = Arc::new(BinaryArray::from_iter_values(&texts));
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(47)])]);
        for (column, expected) in [
            (text, Some("a".to_owned())),
            (bytes, Some("a".to_owned())),
            (Arc::new(lists) as ArrayRef, None),
        ] {
            let file = parquet(column);
            assert_eq!(column_in(file.clone(), &words()).unwrap(), expected);
            assert_eq!(
                place_in("gold/t/a.parquet", file, &words()).is_some(),
                expected.is_some()
            );
        }
    }

    #[test]
    fn a_damaged_data_file_does_not_count_as_searched() {
        let whole = parquet(Arc::new(StringArray::from(vec!["a"])));
        let torn = whole.slice(..whole.len() - 1);
        let place = |name: &str, file: Bytes| place_in(name, file, &words());
        assert_eq!(place("gold/t/a.parquet", whole), None);
        assert_eq!(
            place("gold/t/a.parquet", torn.clone()),
            Some(Some(NOT_READABLE.to_owned()))
        );
        assert_eq!(place("gold/t/a.parquet#1", torn), None);
    }

    #[test]
    fn names_and_text_are_searched_too() {
        let place = |name: &str, text: &'static str| place_in(name, Bytes::from(text), &words());
        assert_eq!(place("gold/t/user_id=user_47/a", ""), Some(None));
        assert_eq!(place("gold/t/0.json", "{\"max\":\"user_47\"}"), Some(None));
        assert_eq!(place("gold/t/0.json", "{\"max\":\"user_471\"}"), None);
    }
}
