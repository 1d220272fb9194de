//! A search of a lake for a word, written separately for the tests: in the names of files, in logs, and in every value of every
//! data file, also within gzip.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use arrow::array::{Array, ArrayRef, AsArray, make_array};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use bytes::Bytes;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use flate2::read::GzDecoder;

/// Every file below a folder.
pub fn all_files(folder: &Path) -> Vec<PathBuf> {
    let (mut folders, mut files) = (vec![folder.to_owned()], vec![]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => files.push(path),
            }
        }
    }
    files
}

/// The files below a folder that hold a word.
pub fn files_with(folder: &Path, word: &str) -> Vec<PathBuf> {
    let mut files = all_files(folder);
    files.retain(|file| {
        let bytes = fs::read(file).unwrap();
        has_word(file.to_string_lossy().as_bytes(), word)
            || has_word(&bytes, word)
            || bytes.starts_with(b"PAR1") && value_has(bytes, word)
    });
    files
}

fn value_has(bytes: Vec<u8>, word: &str) -> bool {
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).unwrap();
    let mut batches = reader.build().unwrap();
    batches.any(|batch| batch.unwrap().columns().iter().any(|column| in_column(column, word)))
}

fn in_column(column: &ArrayRef, word: &str) -> bool {
    let text = match column.data_type() {
        DataType::Binary | DataType::LargeBinary => column.clone(),
        DataType::Utf8 | DataType::LargeUtf8 => cast(column, &DataType::Binary).unwrap(),
        _ => {
            let data = column.to_data();
            return data
                .child_data()
                .iter()
                .any(|child| in_column(&make_array(child.clone()), word));
        }
    };
    let text = cast(&text, &DataType::LargeBinary).unwrap();
    text.as_binary::<i64>()
        .iter()
        .flatten()
        .any(|value| has_word(value, word) || has_word(&unpacked(value), word))
}

/// What a gzip'd value holds, as far as it can be read; nothing of any other.
fn unpacked(value: &[u8]) -> Vec<u8> {
    let mut text = vec![];
    if value.starts_with(&[0x1f, 0x8b]) {
        _ = GzDecoder::new(value).read_to_end(&mut text);
    }
    text
}

/// Whether bytes hold a word that is not part of a longer one.
pub fn has_word(bytes: &[u8], word: &str) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let word = word.as_bytes();
    bytes.windows(word.len()).enumerate().any(|(at, window)| {
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        let after = bytes.get(at + word.len());
        window == word && !before.is_some_and(is_letter) && !after.is_some_and(is_letter)
    })
}
