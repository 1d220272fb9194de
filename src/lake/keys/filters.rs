use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use datafusion::common::Result;
use datafusion::common::hash_utils::{RandomState, create_hashes};
use object_store::path::Path;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use xorf::{BinaryFuse32, Filter};

/// The same in every process and for every array, so that hashes of two sides can be compared.
const SEED: u64 = 0x636c_6963_6b72_6563;
/// What a filter is expected to weigh, to size the cache's own index.
const BYTES_EXPECTED: u64 = 64 << 10;

/// The values of a column in those rows of a data file that a predicate leaves.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct KeysOfFile {
    pub file: Path,
    pub column: Arc<str>,
    /// As text; `None` for all rows.
    pub predicate: Option<Arc<str>>,
}

#[derive(Debug, Clone)]
struct Weight;

impl Weighter<KeysOfFile, Arc<BinaryFuse32>> for Weight {
    fn weight(&self, key: &KeysOfFile, filter: &Arc<BinaryFuse32>) -> u64 {
        (filter.fingerprints.len() * size_of::<u32>() + key.file.as_ref().len() + size_of::<KeysOfFile>()) as u64
    }
}

/// Filters of the keys in data files, at about 36 bits a distinct key; those that are used least make room for others.
///
/// Graf and Lemire 2022, "Binary Fuse Filters: Fast and Smaller Than Xor Filters".
#[derive(Debug)]
pub struct KeyFilters {
    cache: Cache<KeysOfFile, Arc<BinaryFuse32>, Weight>,
}

impl KeyFilters {
    /// No filters yet; they take at most `bytes`.
    pub fn new(bytes: u64) -> Self {
        let expected = usize::try_from(bytes / BYTES_EXPECTED).unwrap_or(usize::MAX);
        Self {
            cache: Cache::with_weighter(expected.max(16), bytes, Weight),
        }
    }

    /// Whether one of the keys may be among them; `None` where nothing is known of them yet.
    pub(super) fn may_hold(&self, of: &KeysOfFile, keys: &[u64]) -> Option<bool> {
        let filter = self.cache.get(of)?;
        Some(keys.iter().any(|key| filter.contains(key)))
    }

    /// Learns them all, as [`hashes`].
    pub(super) fn learn(&self, of: KeysOfFile, mut hashes: Vec<u64>) {
        hashes.sort_unstable();
        hashes.dedup();
        // Fails for a set of keys that it cannot lay out, about never; the file is then read whenever it is asked.
        if let Ok(filter) = BinaryFuse32::try_from(&hashes) {
            self.cache.insert(of, Arc::new(filter));
        }
    }
}

/// Adds the hashes of a column's values that are not NULL.
pub(super) fn hashes(column: &ArrayRef, into: &mut Vec<u64>) -> Result<()> {
    let mut hashes = hash(column)?;
    match column.nulls() {
        None => into.append(&mut hashes),
        Some(nulls) => into.extend(nulls.valid_indices().map(|row| hashes[row])),
    }
    Ok(())
}

/// The hash of each row's value; of NULL, any.
pub(super) fn hash(column: &ArrayRef) -> Result<Vec<u64>> {
    let mut hashes = vec![0; column.len()];
    create_hashes([column], &RandomState::with_seed(SEED), &mut hashes)?;
    Ok(hashes)
}
