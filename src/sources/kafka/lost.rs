//! The errors for records that were not read and are gone.

use std::ops::Range as Offsets;

use super::KafkaConfig;
use crate::plural::counted;
use crate::sources::SourceError;

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
