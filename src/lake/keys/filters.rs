use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use datafusion::common::Result;
use datafusion::common::hash_utils::{RandomState, create_hashes};
use object_store::path::Path;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use xorf::{BinaryFuse16, Filter};

/// The same in every process and for every array, so that hashes of two sides can be compared.
const SEED: u64 = 0x636c_6963_6b72_6563;
/// What a filter is expected to weigh, to size the cache's own index.
const BYTES_EXPECTED: u64 = 64 << 10;

/// A column of a data file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct FileColumn {
    file: Path,
    column: Arc<str>,
}

#[derive(Debug, Clone)]
struct Weight;

impl Weighter<FileColumn, Arc<BinaryFuse16>> for Weight {
    fn weight(&self, key: &FileColumn, filter: &Arc<BinaryFuse16>) -> u64 {
        (filter.fingerprints.len() * size_of::<u16>() + key.file.as_ref().len() + size_of::<FileColumn>()) as u64
    }
}

/// Filters of the keys in data files, at about 18 bits a distinct key; those that are used least make room for others.
///
/// Graf and Lemire 2022, "Binary Fuse Filters: Fast and Smaller Than Xor Filters".
#[derive(Debug)]
pub struct KeyFilters {
    cache: Cache<FileColumn, Arc<BinaryFuse16>, Weight>,
}

impl KeyFilters {
    /// No filters yet; they take at most `bytes`.
    pub fn new(bytes: u64) -> Self {
        let expected = usize::try_from(bytes / BYTES_EXPECTED).unwrap_or(usize::MAX);
        Self {
            cache: Cache::with_weighter(expected.max(16), bytes, Weight),
        }
    }

    /// Whether the file may hold one of the keys in the column; `None` where nothing is known of it yet.
    pub(super) fn may_hold(&self, file: &Path, column: &Arc<str>, keys: &[u64]) -> Option<bool> {
        let filter = self.cache.get(&FileColumn {
            file: file.clone(),
            column: column.clone(),
        })?;
        Some(keys.iter().any(|key| filter.contains(key)))
    }

    /// Learns all values of a file's column, as [`hashes`].
    pub(super) fn learn(&self, file: &Path, column: &Arc<str>, mut hashes: Vec<u64>) {
        hashes.sort_unstable();
        hashes.dedup();
        // Fails for a set of keys that it cannot lay out, about never; the file is then read whenever it is asked.
        if let Ok(filter) = BinaryFuse16::try_from(&hashes) {
            let of = FileColumn {
                file: file.clone(),
                column: column.clone(),
            };
            self.cache.insert(of, Arc::new(filter));
        }
    }
}

/// Adds the hashes of a column's values that are not NULL.
pub(super) fn hashes(column: &ArrayRef, into: &mut Vec<u64>) -> Result<()> {
    let mut hashes = vec![0; column.len()];
    create_hashes([column], &RandomState::with_seed(SEED), &mut hashes)?;
    match column.nulls() {
        None => into.append(&mut hashes),
        Some(nulls) => into.extend(nulls.valid_indices().map(|row| hashes[row])),
    }
    Ok(())
}
