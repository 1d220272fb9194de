//! Records that are gone before they were read, because retention has deleted them (they expired). `source` asks before
//! a run where to continue, `reader` reports during it what the broker no longer has. `--accept-loss` continues with
//! what is left. A topic that was deleted and created again is `recreated`.

use std::ops::Range as Offsets;

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
