//! Fetches Kafka's identity of a topic (from 2.8 on). What follows where it has changed is `kafka/recreated.rs`.

use std::ffi::{CString, c_char, c_int};
use std::ptr::null_mut;
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::bindings::{
    rd_kafka_AdminOptions_destroy, rd_kafka_AdminOptions_new, rd_kafka_AdminOptions_set_broker,
    rd_kafka_AdminOptions_set_request_timeout, rd_kafka_DescribeTopics, rd_kafka_DescribeTopics_result_topics,
    rd_kafka_TopicCollection_destroy, rd_kafka_TopicCollection_of_topic_names, rd_kafka_TopicDescription_topic_id,
    rd_kafka_Uuid_least_significant_bits, rd_kafka_Uuid_most_significant_bits, rd_kafka_admin_op_t,
    rd_kafka_event_DescribeTopics_result, rd_kafka_event_destroy, rd_kafka_event_t, rd_kafka_queue_destroy,
    rd_kafka_queue_new, rd_kafka_queue_poll,
};
use rdkafka::client::Client;

/// The identity that Kafka assigned when the topic was created, folded into a positive number. It changes when the
/// topic is deleted and recreated. `None` if the broker does not report it (before Kafka 2.8), or not in time.
///
/// Any broker can answer, but the request must name one: otherwise librdkafka would wait for the cluster's controller,
/// which some clusters do not expose (the embedded one names a broker that does not exist).
pub(in crate::sources::kafka) fn topic_id<C: ClientContext>(
    client: &Client<C>,
    broker: i32,
    topic: &str,
    timeout: Duration,
) -> Option<i64> {
    let name = CString::new(topic).ok()?;
    let mut names: [*const c_char; 1] = [name.as_ptr()];
    let millis = c_int::try_from(timeout.as_millis()).unwrap_or(c_int::MAX);
    let handle = client.native_ptr();
    // SAFETY: the handle lives as long as `client`, and `name` outlives the call, which copies it. Everything created
    // here is destroyed here, the event last, because it owns the identity.
    unsafe {
        let options = rd_kafka_AdminOptions_new(handle, rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS);
        rd_kafka_AdminOptions_set_request_timeout(options, millis, null_mut(), 0);
        rd_kafka_AdminOptions_set_broker(options, broker, null_mut(), 0);
        let topics = rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
        let answers = rd_kafka_queue_new(handle);
        rd_kafka_DescribeTopics(handle, topics, options, answers);
        let event = rd_kafka_queue_poll(answers, millis);
        let id = if event.is_null() { None } else { id_of(event) };
        if !event.is_null() {
            rd_kafka_event_destroy(event);
        }
        rd_kafka_queue_destroy(answers);
        rd_kafka_TopicCollection_destroy(topics);
        rd_kafka_AdminOptions_destroy(options);
        id
    }
}

/// # Safety
/// `event` must be valid.
unsafe fn id_of(event: *mut rd_kafka_event_t) -> Option<i64> {
    // SAFETY: every pointer is checked and belongs to the event.
    unsafe {
        let result = rd_kafka_event_DescribeTopics_result(event);
        if result.is_null() {
            return None;
        }
        let mut count = 0;
        let described = rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        if described.is_null() || count != 1 {
            return None;
        }
        let id = rd_kafka_TopicDescription_topic_id(*described);
        if id.is_null() {
            return None;
        }
        let (most, least) = (
            rd_kafka_Uuid_most_significant_bits(id),
            rd_kafka_Uuid_least_significant_bits(id),
        );
        // Zero means "no identity" in Kafka.
        Some((most ^ least.rotate_left(32)) & i64::MAX).filter(|_| (most, least) != (0, 0))
    }
}
