//! A topic that was deleted and created again under the same name: Kafka's id of the topic (fetched by
//! `native/topic_id.rs`) is not the one that was committed with the records read so far. `source` asks here before a
//! run, `reader` when it connects. Such a topic is refused, unless `--accept-loss` reads it from its beginning.
//!
//! Brokers before Kafka 2.8 report no id. There, only offsets that are gone show it (`lost_records`).

use super::KafkaConfig;
use crate::sources::{Committed, OnLoss, Positions, SourceError};

/// Whether the committed positions belong to a deleted topic with the same name; `id` is the identity of the topic now.
///
/// # Errors
/// When they do, and that is not accepted; when the lake cannot be read.
pub(super) async fn is_recreated(
    config: &KafkaConfig,
    id: Option<i64>,
    committed: &dyn Committed,
    on_loss: OnLoss,
) -> Result<bool, SourceError> {
    // Lakes of earlier versions, and brokers that do not report it, have no identity: it is recorded once there is one.
    let (Some(now), Some(then)) = (id, committed.position(&config.place("id")).await?) else {
        return Ok(false);
    };
    if now == then {
        return Ok(false);
    }
    let error = recreated(config);
    if on_loss == OnLoss::Refuse {
        return Err(error);
    }
    tracing::warn!("{error}\n  accepted: reading the new topic from its beginning");
    Ok(true)
}

/// Resets partitions that only the old topic had, in case the new one grows to as many.
///
/// # Errors
/// When the lake cannot be read.
pub(super) async fn forget(
    config: &KafkaConfig,
    next: &mut Positions,
    committed: &dyn Committed,
) -> Result<(), SourceError> {
    for partition in 0.. {
        let place = config.place(partition);
        if next.contains_key(&place) {
            continue;
        }
        if committed.position(&place).await?.is_none() {
            break;
        }
        next.insert(place, 0);
    }
    Ok(())
}

/// The error for a topic that was recreated since it was read.
pub(super) fn recreated(config: &KafkaConfig) -> SourceError {
    SourceError::Recreated {
        what: config.named(),
        help: "to read the new topic from its beginning, and to keep the table's records: clickrec run --accept-loss"
            .to_owned(),
    }
}
