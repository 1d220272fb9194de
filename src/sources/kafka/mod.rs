//! Kafka as a table: reads topics up to their current ends, and writes to them.
//!
//! - [`Topics`] (`topics`): which topics a source reads: those that are named, or all that match a pattern.
//! - [`KafkaSource`] (`source`): the records in topics after the committed offsets.
//! - `lost_records`: records that retention deleted before they were read; `recreated`: a topic that was deleted and
//!   created again: the errors, and what `--accept-loss` does. `source` notices both before a run, `reader` during it.
//!   `deleted`: a topic that matched the pattern, and is gone.
//! - `scan`: the plan leaf, with one plan partition per Kafka partition and offset ranges fixed at planning time.
//! - `reader`: reads partitions into record batches; `range`: the offsets that it reads.
//! - [`KafkaTable`] (`kafka_table`): whole topics for SQL: `select` and `insert into`, whose rows `topic_sink` sends.
//! - [`Producer`] (`producer`): writes records to a topic, for the simulator and for `insert into`.
//! - `undelivered`: why a record does not reach its topic, and what to do about it.
//! - `create_topic`: creates a topic, or waits until the brokers have done so.
//! - `inserted_rows`: turns inserted rows into records, and refuses what cannot be written.
//! - [`EmbeddedBroker`] (`embedded`): a broker inside the process, for the demo and the tests.
//! - [`Security`] (`security`): encryption, and who clickrec is to the brokers; [`Tokens`] (`oauth`): tokens for that.
//! - `client`, `cause`: librdkafka's clients and settings, and its errors in our words.
//! - `times`: looks up offsets by time, and whether a topic keeps timestamps.
//! - `filters`: turns predicates on `topic`, `partition`, `offset` and `timestamp` into offset ranges.
//! - `metadata`: the brokers' metadata of topics; `describe`: topics with their offsets.
//! - `settings`: the settings of a source in `pipelines.yaml`; `kind`: the kind of the Kafka source.
//! - `wire`: the plan leaf as bytes, for another process.
//! - `native`: the few librdkafka calls that its crate does not offer.
//!
//! There are no consumer groups and no commits to Kafka: how far a topic was read is part of the Delta commit that
//! contains its records.

mod cause;
mod client;
mod create_topic;
mod deleted;
mod describe;
mod embedded;
mod filters;
mod inserted_rows;
mod kafka_table;
mod kind;
mod lost_records;
mod metadata;
mod native;
mod oauth;
mod producer;
mod range;
mod reader;
mod recreated;
mod scan;
mod security;
mod settings;
#[cfg(test)]
mod several_topics_tests;
mod source;
#[cfg(test)]
mod tests;
mod times;
mod topic_sink;
mod topics;
mod undelivered;
mod wire;

pub use create_topic::{Created, create_topic};
pub use embedded::EmbeddedBroker;
pub use kafka_table::KafkaTable;
pub(crate) use kind::Kafka;
pub use oauth::Tokens;
pub use producer::{Producer, ProducerRecord};
pub use range::Range;
pub use scan::KafkaScan;
pub use security::Security;
pub use settings::KafkaConfig;
pub(crate) use settings::RawKafka;
pub use source::KafkaSource;
pub use topics::{TopicPattern, Topics};
