use std::num::NonZeroU64;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The least time for which files that are no longer part of a table are kept: a step that runs, or a reader of an
/// older version, may still need younger ones.
pub const MIN_RETAIN: Duration = DAY;

/// How tables are kept in shape while they are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaintenanceConfig {
    /// So many small files of about one size, in a table or partition, are put together.
    pub compact_after: usize,
    /// In tables that merges rewrite, files younger than this are left alone.
    pub compact_min_age: Duration,
    /// The size of files that compaction makes.
    pub target_file_bytes: NonZeroU64,
    /// A checkpoint is made after so many commits.
    pub checkpoint_after: u64,
    /// How long files stay that are no longer part of a table.
    pub retain: Duration,
    /// How long entries of the log stay: how far back one can read an older version, and a step can read on.
    pub log_retain: Duration,
}

impl Default for MaintenanceConfig {
    fn default() -> Self {
        Self {
            compact_after: 32,
            compact_min_age: 10 * MINUTE,
            target_file_bytes: NonZeroU64::new(128 << 20).unwrap_or(NonZeroU64::MIN),
            checkpoint_after: 50,
            retain: 7 * DAY,
            // A local disk lists the whole log whenever a table is opened.
            log_retain: DAY,
        }
    }
}
