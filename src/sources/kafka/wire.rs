//! The plan leaf that reads Kafka as bytes, for executors of a cluster.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::common::{Result, exec_datafusion_err};
use datafusion::physical_plan::ExecutionPlan;
use serde::{Deserialize, Serialize};

use super::KafkaConfig;
use super::range::{Range, Task};
use super::scan::KafkaExec;

/// The plan leaf for another process. Credentials are not sent: the process that reads uses its own.
#[derive(Serialize, Deserialize)]
struct Wire {
    brokers: String,
    /// What its topics are called, for messages.
    topics: String,
    topic_ids: BTreeMap<String, i64>,
    projection: Option<Vec<usize>>,
    limit: Option<usize>,
    /// Per reader: topic, partition, first offset, and the offset after the last.
    ranges: Vec<Vec<(String, i32, i64, i64)>>,
}

/// Serializes a plan leaf that reads Kafka; `None` if it is not such a leaf.
pub fn to_wire(plan: &dyn ExecutionPlan) -> Option<serde_json::Result<Vec<u8>>> {
    let scan = plan.downcast_ref::<KafkaExec>()?;
    let range = |range: &Range| (range.topic.to_string(), range.partition, range.start, range.end);
    let ids = scan.task.topic_ids.iter();
    let wire = Wire {
        brokers: scan.task.config.brokers.clone(),
        topics: scan.task.config.topics.to_string(),
        topic_ids: ids.map(|(topic, id)| (topic.to_string(), *id)).collect(),
        projection: scan.task.projection.clone(),
        limit: scan.task.limit,
        ranges: scan
            .ranges
            .iter()
            .map(|ranges| ranges.iter().map(range).collect())
            .collect(),
    };
    Some(serde_json::to_vec(&wire))
}

/// Deserializes a leaf from [`to_wire`], with this process's settings for the topics.
///
/// # Errors
/// When this process's project has no such source.
pub fn from_wire<'a>(bytes: &[u8], sources: impl Iterator<Item = &'a KafkaConfig>) -> Result<Arc<dyn ExecutionPlan>> {
    let wire: Wire = serde_json::from_slice(bytes).map_err(|error| {
        exec_datafusion_err!(
            "cannot decode a plan that reads Kafka; it may come from another version of clickrec: {error}"
        )
    })?;
    let read = || wire.ranges.iter().flatten().map(|(topic, ..)| topic);
    let fitting: Vec<&KafkaConfig> = sources
        .filter(|config| config.brokers == wire.brokers && read().all(|topic| config.topics.contain(topic)))
        .collect();
    // Another source may contain the same topics, with other credentials.
    let same = fitting.iter().find(|config| config.topics.to_string() == wire.topics);
    let config = same.or(fitting.first()).map(|config| KafkaConfig::clone(config));
    let config = config.ok_or_else(|| {
        exec_datafusion_err!(
            "this process has no source for the {} at {}\n  help: start this process with the same \
             pipelines.yaml and target",
            wire.topics,
            wire.brokers
        )
    })?;
    let task = Task {
        config: Arc::new(config),
        topic_ids: wire
            .topic_ids
            .into_iter()
            .map(|(topic, id)| (topic.into(), id))
            .collect(),
        projection: wire.projection,
        limit: wire.limit,
    };
    let range = |(topic, partition, start, end): (String, i32, i64, i64)| Range {
        topic: topic.into(),
        partition,
        start,
        end,
    };
    let ranges = wire
        .ranges
        .into_iter()
        .map(|ranges| ranges.into_iter().map(range).collect());
    Ok(Arc::new(KafkaExec::new(task, ranges.collect())))
}
