//! Decides what maintenance is due after a step has committed: compaction, checkpoint, cleanup of the log, vacuum (once
//! a day at most), and taking out old events (`expire`). Tables that merges rewrite get files of 32 MiB at most, and only files that no merge has written for
//! a while (`compact_min_age`) are compacted.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::time::Duration;

use chrono::Utc;
use datafusion::prelude::SessionContext;
use deltalake::checkpoints::{cleanup_expired_logs_for, create_checkpoint};

use super::compact::{Compacted, Compaction, compact};
use super::expire::expire;
use super::{LakeError, LakeTable, Version, positions, vacuum};
use crate::config::MaintenanceConfig;

/// A table is vacuumed at most this often.
const VACUUM_EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// Merges rewrite whole files, so merged tables get smaller files.
const MERGED_FILE_BYTES: NonZeroU64 = NonZeroU64::new(32 << 20).unwrap();

/// What maintenance needs to know about a table beyond its log.
#[derive(Debug, Clone, Copy)]
pub struct Upkeep<'a> {
    /// The project's settings.
    pub config: &'a MaintenanceConfig,
    /// The columns that its step clusters by.
    pub cluster_by: &'a [String],
    /// The minimum age of its files, if its step sets one.
    pub min_age: Option<Duration>,
    /// Whether merges rewrite its files.
    pub merged: bool,
}

/// What [`maintain`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Maintained {
    /// The small files that were compacted.
    pub compacted: Compacted,
    /// The version that was checkpointed.
    pub checkpoint: Option<Version>,
    /// The number of log entries deleted.
    pub log_files_deleted: usize,
    /// The number of data files taken out of the table, because all of their events are too old (`retain_events`).
    pub files_expired: usize,
    /// The number of data files deleted, if the table was vacuumed.
    pub files_deleted: Option<usize>,
}

impl<'a> Upkeep<'a> {
    /// What is compacted automatically: many files of similar size. In tables that merges rewrite, only files that have
    /// not changed for a while, because a merge rewrites every file it touches.
    pub fn when_due(&self) -> Compaction<'a> {
        Compaction {
            min_files: self.config.compact_after,
            min_age: if self.merged {
                self.min_age.unwrap_or(self.config.compact_min_age)
            } else {
                Duration::ZERO
            },
            by_size: true,
            ..self.on_demand()
        }
    }

    /// What is compacted on demand: all small files.
    pub fn on_demand(&self) -> Compaction<'a> {
        let target = self.config.target_file_bytes;
        Compaction {
            min_files: 2,
            file_bytes: if self.merged {
                target.min(MERGED_FILE_BYTES)
            } else {
                target
            },
            min_age: Duration::ZERO,
            by_size: false,
            cluster_by: self.cluster_by,
        }
    }
}

/// Does the maintenance that is due for a table according to its log: compaction, depending on the number of small
/// files; after a number of commits, a checkpoint, along with log cleanup and, at most once a day, a vacuum. If nothing
/// is due, it reads only the state that was loaded when the table was opened.
///
/// Log entries may be deleted before a reader of `changes('…')` has seen them, if it has not run for as long as the log
/// is retained. The reader detects this ([`super::Replaced::LogExpired`]) and reads everything. A table's input
/// positions are never lost, because checkpoints contain all transactions.
///
/// # Errors
/// When some maintenance fails; whatever was done before remains done.
pub async fn maintain(
    table: &LakeTable,
    upkeep: Upkeep<'_>,
    session: &SessionContext,
) -> Result<Maintained, LakeError> {
    let mut done = Maintained {
        compacted: compact(table, &upkeep.when_due(), session).await?,
        ..Maintained::default()
    };
    if !checkpoint_is_due(table, upkeep.config.checkpoint_after) {
        return Ok(done);
    }
    if let Some(time) = upkeep.config.retain_events {
        done.files_expired = expire(&table.reopened().await?, time).await?;
    }
    set_retention(&table.reopened().await?, upkeep.config).await?;
    let table = table.reopened().await?;
    let failed = |action| LakeError::delta(action, table.name());
    create_checkpoint(table.delta(), None)
        .await
        .map_err(failed("write a checkpoint for"))?;
    done.checkpoint = table.version();
    let version = table.version().unwrap_or_default();
    let log = table.delta().log_store();
    done.log_files_deleted = cleanup_expired_logs_for(version, log.as_ref(), before(upkeep.config.log_retain), None)
        .await
        .map_err(failed("clean up the log of"))?;
    if vacuum_is_due(&table, upkeep.config.retain).await? {
        done.files_deleted = Some(vacuum(&table, upkeep.config.retain).await?);
    }
    Ok(done)
}

/// Whether the log has at least `after` commits since its last checkpoint. The table was opened from that checkpoint,
/// so it knows the timestamps of only the commits it read after it.
fn checkpoint_is_due(table: &LakeTable, after: u64) -> bool {
    let Some(state) = table.state() else { return false };
    let earliest = (state.version() + 1).checked_sub(after);
    earliest.is_some_and(|version| state.version_timestamp(version).is_some())
}

/// No file is older than its table, so a young table is not listed.
async fn vacuum_is_due(table: &LakeTable, retain: Duration) -> Result<bool, LakeError> {
    let created = table.state().and_then(|state| state.metadata().created_time());
    if created.is_some_and(|created| created > before(retain)) {
        return Ok(false);
    }
    let last = table.transaction_in_log(positions::VACUUM).await?;
    Ok(last.is_none_or(|last| last <= before(VACUUM_EVERY)))
}

/// Sets the table's retention properties: other engines follow them, and checkpoints drop deleted files accordingly.
async fn set_retention(table: &LakeTable, config: &MaintenanceConfig) -> Result<(), LakeError> {
    let wanted: HashMap<String, String> = [
        ("delta.deletedFileRetentionDuration", config.retain),
        ("delta.logRetentionDuration", config.log_retain),
    ]
    .map(|(property, time)| (property.to_owned(), format!("interval {} seconds", time.as_secs())))
    .into();
    let Some(state) = table.state() else { return Ok(()) };
    let has = state.metadata().configuration();
    if wanted.iter().all(|(property, value)| has.get(property) == Some(value)) {
        return Ok(());
    }
    table
        .delta()
        .clone()
        .set_tbl_properties()
        .with_properties(wanted)
        .await
        .map_err(LakeError::delta("set the retention of", table.name()))?;
    Ok(())
}

/// The time this long ago, in milliseconds since 1970.
fn before(time: Duration) -> i64 {
    let time = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    Utc::now().timestamp_millis().saturating_sub(time)
}
