//! Records that are gone before they were read: retention has deleted them (they expired), or the topic was deleted and
//! recreated. `source` asks before a run where to read on, `reader` reports during it what the broker no longer has.
//! `--accept-loss` continues with what is left.

use std::ops::Range as Offsets;

use super::KafkaConfig;
use crate::plural::counted;
use crate::sources::{OnLoss, SourceError};

/// The offset from which a partition is read on. Where records after the committed one are gone, that is an error, or
/// the first record that is left.
///
/// # Errors
/// When records are gone, and that is not accepted.
pub(super) fn read_on(
    place: &str,
    committed: i64,
    offsets: &Offsets<i64>,
    on_loss: OnLoss,
) -> Result<i64, SourceError> {
    if (offsets.start..=offsets.end).contains(&committed) {
        return Ok(committed);
    }
    let lost = lost(place, committed, offsets);
    if on_loss == OnLoss::Refuse {
        return Err(lost);
    }
    tracing::warn!("{lost}\n  accepted: continuing from offset {}", offsets.start);
    Ok(offsets.start)
}

/// Whether a topic has another identity than the one that was read.
///
/// # Errors
/// When it has, and that is not accepted.
pub(super) fn is_recreated(config: &KafkaConfig, now: i64, then: i64, on_loss: OnLoss) -> Result<bool, SourceError> {
    if now == then {
        return Ok(false);
    }
    let recreated = recreated(config);
    if on_loss == OnLoss::Refuse {
        return Err(recreated);
    }
    tracing::warn!("{recreated}\n  accepted: reading the new topic from its beginning");
    Ok(true)
}

/// The error for a topic that was recreated since it was read.
pub(super) fn recreated(config: &KafkaConfig) -> SourceError {
    SourceError::Recreated {
        what: format!("topic `{}` at {}", config.topic, config.brokers),
        help: "to read the new topic from its beginning, and to keep the table's records: clickrec run --accept-loss"
            .to_owned(),
    }
}

/// The error for records that are gone after a committed offset.
pub(super) fn lost(place: &str, committed: i64, offsets: &Offsets<i64>) -> SourceError {
    let reason = if committed < offsets.start {
        let expired = offsets.start.abs_diff(committed);
        counted(
            expired,
            "record expired before it was read",
            "records expired before they were read",
        )
    } else {
        "the topic was deleted and recreated, or truncated".to_owned()
    };
    SourceError::PositionLost {
        place: place.to_owned(),
        committed,
        available: format!("offsets {} to {}", offsets.start, offsets.end),
        reason,
        help: "to continue with the topic's current records, and to keep the table's: clickrec run --accept-loss"
            .to_owned(),
    }
}
