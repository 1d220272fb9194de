//! What librdkafka can do and the `rdkafka` crate does not offer: calls into the C library, and nothing else.
//!
//! - `topic_id`: Kafka's identity of a topic, by which one made anew is told from the old one.
//! - `certificate`: why a broker's certificate is not accepted. librdkafka's own error says only that it is not.
//! - `messages`: a consumer's messages by the batch, and where a partition ends.

#![allow(unsafe_code)]

mod certificate;
mod messages;
mod topic_id;

pub(super) use certificate::{Verdict, judge};
pub(super) use messages::{Messages, Received};
pub(super) use topic_id::topic_id;
