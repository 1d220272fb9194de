//! A topic that was deleted and created again under the same name: Kafka's ID of the topic (fetched by
//! `native/topic_id.rs`) is not the one that was committed with the records read so far. `source` asks here before a
//! run, `reader` when it connects. Such a topic is refused, unless `--accept-loss` reads it from its beginning.
//!
//! Brokers before Kafka 2.8 report no ID. There, only offsets that are gone show it (`lost_records`).

use super::KafkaConfig;
use super::describe::Topic;
use super::range::place;
use crate::sources::{Committed, OnLoss, Positions, SourceError};

/// Whether the committed positions belong to a deleted topic with the same name.
///
/// # Errors
/// When they do, and that is not accepted; when the lake cannot be read.
pub(super) async fn is_recreated(
    config: &KafkaConfig,
    topic: &Topic,
    committed: &dyn Committed,
    on_loss: OnLoss,
) -> Result<bool, SourceError> {
    // Lakes of earlier versions, and brokers that do not report it, have no identity: it is recorded once there is one.
    let then = committed.position(&place(&topic.name, "id")).await?;
    // It was gone, and that was accepted (`deleted`); perhaps it was only out of sight.
    if let Some(then) = then.filter(|then| *then < 0) {
        return Ok(topic.id != Some(-then));
    }
    let (Some(now), Some(then)) = (topic.id, then) else {
        return Ok(false);
    };
    if now == then {
        return Ok(false);
    }
    let error = recreated(config, &topic.name);
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
pub(super) async fn forget(topic: &str, next: &mut Positions, committed: &dyn Committed) -> Result<(), SourceError> {
    for partition in 0.. {
        let place = place(topic, partition);
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
pub(super) fn recreated(config: &KafkaConfig, topic: &str) -> SourceError {
    SourceError::Recreated {
        what: config.of_topic(topic).named(),
        help: "to read the new topic from its beginning, and to keep the table's records: clickrec run --accept-loss"
            .to_owned(),
    }
}
