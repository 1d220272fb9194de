//! Which offsets of a partition are read, and what all readers of a scan share.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;

use super::KafkaConfig;

/// Offsets of one partition; `end` is exclusive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// The topic.
    pub topic: Arc<str>,
    /// Kafka's partition number.
    pub partition: i32,
    /// The first offset to read.
    pub start: i64,
    /// The offset after the last one to read.
    pub end: i64,
}

impl Range {
    /// How many offsets it has: at least as many as records.
    pub fn len(&self) -> u64 {
        self.end.saturating_sub(self.start).try_into().unwrap_or_default()
    }

    /// Whether there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.start >= self.end
    }

    /// The place of the partition.
    pub(super) fn place(&self) -> String {
        place(&self.topic, self.partition)
    }
}

/// The place of a partition of a topic, or of its `id`: the name of a position.
pub(super) fn place(topic: &str, of: impl Display) -> String {
    format!("{topic}/{of}")
}

/// Kafka's identities of topics, by name, as far as the brokers report them.
pub(super) type TopicIds = BTreeMap<Arc<str>, i64>;

/// What all readers of a scan share.
#[derive(Debug)]
pub(super) struct Task {
    pub config: Arc<KafkaConfig>,
    /// The identities of the topics that the offsets belong to.
    pub topic_ids: TopicIds,
    pub projection: Option<Vec<usize>>,
    pub limit: Option<usize>,
}
