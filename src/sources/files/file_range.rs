//! The new records of one file, as `new_lines` counted them and `scan` reads them.

use std::ops::Range;

use object_store::path::Path;
use serde::{Deserialize, Serialize};

use super::codec::Codec;

/// A range of records in one file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct FileRange {
    /// Its location in the store.
    #[serde(with = "path_as_text")]
    pub path: Path,
    /// Its name in the records.
    pub name: String,
    /// How its text is compressed.
    pub codec: Codec,
    /// Its size in bytes when it was counted.
    pub size: u64,
    /// The byte range of the records in the text; for a table, the whole file.
    pub text: Range<u64>,
    /// How many they are, without empty lines.
    pub records: u64,
    /// The number of the first line, or row.
    pub first_line: u64,
    /// A hash of the records of a text: they are read again, and must be the same.
    pub hash: i64,
    /// The entity tag of a table: it is read again, and must be the same.
    pub tag: Option<String>,
    /// When the source found them, in microseconds since 1970.
    pub found_us: i64,
}

impl FileRange {
    /// The number of bytes read from the store for it.
    pub fn bytes(&self) -> u64 {
        match self.codec {
            Codec::Plain => self.text.end - self.text.start,
            _ => self.size,
        }
    }
}

mod path_as_text {
    use object_store::path::Path;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(path.as_ref())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Path, D::Error> {
        Path::parse(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
