//! `maintenance`: how tables are kept in shape, with the defaults: compaction, checkpoints, retention of data files
//! (`retain`) and of the log (`log_retain`).

use std::num::NonZeroU64;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The minimum retention of files that are no longer part of a table: a running step, or a reader of an older version,
/// may still need younger ones.
pub const MIN_RETAIN: Duration = DAY;

/// How tables are maintained while they are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaintenanceConfig {
    /// How many small files of similar size, in a table or partition, trigger a compaction.
    pub compact_after: usize,
    /// In tables that merges rewrite, younger files are not compacted.
    pub compact_min_age: Duration,
    /// The size of files written by compaction.
    pub target_file_bytes: NonZeroU64,
    /// The number of commits between checkpoints.
    pub checkpoint_after: u64,
    /// How long files are kept that are no longer part of a table.
    pub retain: Duration,
    /// How long log entries are kept: limits how far back old versions can be read, and how long a step may pause
    /// before it must read everything again.
    pub log_retain: Duration,
    /// How long Bronze and Silver keep events; `None`: for ever.
    pub retain_events: Option<Duration>,
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
            retain_events: None,
        }
    }
}
