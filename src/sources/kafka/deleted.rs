//! Topics that were read because they matched the pattern of a source, and that the brokers no longer have: refused,
//! unless `--accept-loss` continues without them. Their positions become 0 then, so that a new topic of the same name is
//! read from its beginning. A topic that is named in the settings is simply missing (`metadata`).

use std::collections::BTreeMap;

use super::describe::Topic;
use super::range::place;
use super::{KafkaConfig, Topics};
use crate::sources::{Committed, OnLoss, Positions, SourceError};

/// The place of a topic's identity.
const ID: &str = "id";

/// Resets the positions of deleted topics in `next`. Returns whether a loss was accepted, which is to be committed even
/// if nothing else is pending.
///
/// # Errors
/// When a topic was deleted from which something was read, and that is not accepted; when the lake cannot be read.
pub(super) async fn reset_deleted(
    config: &KafkaConfig,
    topics: &[Topic],
    committed: &dyn Committed,
    on_loss: OnLoss,
    next: &mut Positions,
) -> Result<bool, SourceError> {
    let Topics::Matching(pattern) = &config.topics else {
        return Ok(false);
    };
    // Positions that cannot be listed are not known to be of a deleted topic.
    let stored = committed.all().await?.unwrap_or_default();
    let is_there = |name: &str| topics.iter().any(|topic| *topic.name == *name);
    let mut deleted: BTreeMap<&str, bool> = BTreeMap::new();
    for (at, position) in &stored {
        let Some((topic, of)) = at.rsplit_once('/') else {
            continue;
        };
        // Where all positions are 0, nothing was read, or the loss was accepted before.
        if *position == 0 || !pattern.matches(topic) || is_there(topic) {
            continue;
        }
        *deleted.entry(topic).or_default() |= of != ID;
        next.insert(place(topic, of), 0);
    }
    let mut lost = deleted
        .iter()
        .filter(|(_, was_read)| **was_read)
        .map(|(topic, _)| *topic);
    if on_loss == OnLoss::Refuse {
        return lost.next().map_or(Ok(false), |topic| Err(gone(config, topic)));
    }
    let mut is_accepted = false;
    for topic in lost {
        tracing::warn!("{}\n  accepted: continuing without it", gone(config, topic));
        is_accepted = true;
    }
    Ok(is_accepted)
}

fn gone(config: &KafkaConfig, topic: &str) -> SourceError {
    SourceError::Missing {
        what: config.of_topic(topic).named(),
        reason:
            "it has been read, and now the brokers do not list it: it was deleted, or this user may not see it any \
                 more"
                .to_owned(),
        help: "to continue without it, and to keep the table's records: clickrec run --accept-loss".to_owned(),
    }
}
