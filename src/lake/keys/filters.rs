//! Filters of the keys in data files (binary fuse filters), in memory up to a limit; they say which files cannot hold a
//! key.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use datafusion::common::Result;
use datafusion::common::hash_utils::{RandomState, create_hashes};
use object_store::path::Path;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use xorf::{BinaryFuse32, Filter};

/// The same in every process and for every array, so that hashes from both sides of a join can be compared.
const SEED: u64 = 0x636c_6963_6b72_6563;
/// The expected size of a filter in bytes, to size the cache's own index.
const BYTES_EXPECTED: u64 = 64 << 10;

/// The values of a column in the rows of a data file that pass a predicate.
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

/// Filters of the keys in data files, at about 36 bits per distinct key; the least used are evicted first.
///
/// Graf and Lemire 2022, "Binary Fuse Filters: Fast and Smaller Than Xor Filters".
#[derive(Debug)]
pub struct KeyFilters {
    cache: Cache<KeysOfFile, Arc<BinaryFuse32>, Weight>,
}

impl KeyFilters {
    /// An empty cache of at most `bytes`.
    pub fn new(bytes: u64) -> Self {
        let expected = usize::try_from(bytes / BYTES_EXPECTED).unwrap_or(usize::MAX);
        Self {
            cache: Cache::with_weighter(expected.max(16), bytes, Weight),
        }
    }

    /// Whether the file may hold one of the keys; `None` if there is no filter for it yet.
    pub(super) fn may_hold(&self, of: &KeysOfFile, keys: &[u64]) -> Option<bool> {
        let filter = self.cache.get(of)?;
        Some(keys.iter().any(|key| filter.contains(key)))
    }

    /// Builds the filter from all of the file's keys, hashed as by [`hashes`].
    pub(super) fn learn(&self, of: KeysOfFile, mut hashes: Vec<u64>) {
        hashes.sort_unstable();
        hashes.dedup();
        // Construction almost never fails; if it does, the file is read every time.
        if let Ok(filter) = BinaryFuse32::try_from(&hashes) {
            self.cache.insert(of, Arc::new(filter));
        }
    }
}

/// Appends the hashes of a column's non-NULL values.
pub(super) fn hashes(column: &ArrayRef, into: &mut Vec<u64>) -> Result<()> {
    let mut hashes = hash(column)?;
    match column.nulls() {
        None => into.append(&mut hashes),
        Some(nulls) => into.extend(nulls.valid_indices().map(|row| hashes[row])),
    }
    Ok(())
}

/// The hash of each row's value; arbitrary for NULL.
pub(super) fn hash(column: &ArrayRef) -> Result<Vec<u64>> {
    let mut hashes = vec![0; column.len()];
    create_hashes([column], &RandomState::with_seed(SEED), &mut hashes)?;
    Ok(hashes)
}
