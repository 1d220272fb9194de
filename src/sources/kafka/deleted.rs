//! Topics that were read because they matched the pattern of a source, and that the brokers no longer have: refused,
//! unless `--accept-loss` continues without them. Their IDs are then stored as negative numbers, and their positions
//! stay: a new topic of the same name is read from its beginning (`recreated`), and the same one, which was only out of
//! sight, where reading ended. A topic that is named in the settings is simply missing (`metadata`).

use std::collections::BTreeMap;

use super::describe::Topic;
use super::range::place;
use super::{KafkaConfig, Topics};
use crate::sources::{Committed, OnLoss, Positions, SourceError};

/// The place of a topic's identity.
const ID: &str = "id";

/// Marks the IDs of deleted topics in `next`. Returns whether a loss was accepted, which is to be committed even
/// if nothing else is pending.
///
/// # Errors
/// When a topic was deleted from which something was read, and that is not accepted; when the lake cannot be read.
pub(super) async fn mark_deleted(
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
    let mut absent: BTreeMap<&str, Stored> = BTreeMap::new();
    for (at, position) in &stored {
        let Some((topic, of)) = at.rsplit_once('/') else {
            continue;
        };
        if !pattern.matches(topic) || is_there(topic) {
            continue;
        }
        // The source may have read files before, whose places are paths.
        if of == ID {
            absent.entry(topic).or_default().id = *position;
        } else if of.parse::<i32>().is_ok() {
            absent.entry(topic).or_default().was_read |= *position > 0;
        }
    }
    let mut is_accepted = false;
    for (topic, stored) in absent {
        // Accepted before.
        if stored.id < 0 {
            continue;
        }
        if stored.was_read {
            let error = gone(config, topic);
            if on_loss == OnLoss::Refuse {
                return Err(error);
            }
            tracing::warn!("{error}\n  accepted: continuing without it");
            is_accepted = true;
        }
        next.insert(place(topic, ID), -stored.id.max(1));
    }
    Ok(is_accepted)
}

/// What is stored of a topic that is not there.
#[derive(Default)]
struct Stored {
    id: i64,
    was_read: bool,
}

fn gone(config: &KafkaConfig, topic: &str) -> SourceError {
    SourceError::Missing {
        what: config.of_topic(topic).named(),
        reason: "it has been read, and now the brokers do not list it: it was deleted, or this user is no longer \
                 allowed to see it"
            .to_owned(),
        help: "to continue without it, and to keep the table's records: clickrec run --accept-loss".to_owned(),
    }
}
