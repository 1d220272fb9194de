//! The cache of answers, at most 64 MiB: recommendations as JSON, for sessions in memory, until the session gets
//! another click, or all clicks, the catalog or the statements are replaced. `api/recommendations` asks it first.

use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

/// The size of the answer cache in bytes; an answer with ten items has about two thousand.
const KEPT_BYTES: u64 = 64 << 20;
const KEPT_BYTES_EACH: u64 = 2_000;

/// The key of a cached answer: the page with its parameters, and the state of its inputs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct AnswerKey {
    pub page: String,
    /// The generation of statements, clicks and catalog.
    pub of: u64,
    /// How many clicks the session had.
    pub clicks: usize,
}

/// Cached answers as JSON, by their keys.
pub(super) type AnswerCache = Cache<AnswerKey, Bytes, Weight>;

/// A cache without answers yet.
pub(super) fn empty() -> AnswerCache {
    Cache::with_weighter((KEPT_BYTES / KEPT_BYTES_EACH) as usize, KEPT_BYTES, Weight)
}

/// The size of a cached answer.
#[derive(Debug, Clone)]
pub(super) struct Weight;

impl Weighter<AnswerKey, Bytes> for Weight {
    fn weight(&self, key: &AnswerKey, answer: &Bytes) -> u64 {
        (key.page.len() + answer.len()) as u64
    }
}
