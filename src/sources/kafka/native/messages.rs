//! Takes a consumer's messages in batches, and reports where a partition ends.

use std::ffi::{CStr, c_char, c_int};
use std::marker::PhantomData;
use std::ptr::null_mut;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings::{
    rd_kafka_consume_batch_queue, rd_kafka_header_get_all, rd_kafka_message_destroy, rd_kafka_message_errstr,
    rd_kafka_message_headers, rd_kafka_message_t, rd_kafka_message_timestamp, rd_kafka_opaque, rd_kafka_queue_destroy,
    rd_kafka_queue_get_consumer, rd_kafka_queue_t, rd_kafka_set_logger, rd_kafka_t, rd_kafka_timestamp_type_t,
    rd_kafka_topic_name,
};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::RDKafkaErrorCode;

/// The number of messages taken from the queue at once.
const BATCH: usize = 1_024;

/// A consumer that takes messages in batches. The crate's own `poll` creates an event and counts references for every
/// message, and does not report the offset at which a partition ended.
pub(in crate::sources::kafka) struct Messages<C: ConsumerContext> {
    queue: *mut rd_kafka_queue_t,
    taken: Vec<*mut rd_kafka_message_t>,
    client: Arc<BaseConsumer<C>>,
}

// SAFETY: librdkafka's queues may be used from any thread; the pointers in `taken` never outlive a call.
unsafe impl<C: ConsumerContext> Send for Messages<C> {}

impl<C: ConsumerContext> Messages<C> {
    pub fn of(client: Arc<BaseConsumer<C>>) -> Self {
        let handle = client.client().native_ptr();
        // SAFETY: the handle is valid; the queue is ours to destroy. The crate reads logs as events, which a batch does
        // not return, so they reach the context through a callback.
        let queue = unsafe {
            rd_kafka_set_logger(handle, Some(log::<C>));
            rd_kafka_queue_get_consumer(handle)
        };
        Self {
            queue,
            taken: vec![null_mut(); BATCH],
            client,
        }
    }

    pub fn client(&self) -> &BaseConsumer<C> {
        &self.client
    }

    /// The messages that have arrived; waits until there are many, or for `timeout`.
    pub fn poll(&mut self, timeout: Duration) -> impl Iterator<Item = Received<'_>> {
        let millis = c_int::try_from(timeout.as_millis()).unwrap_or(c_int::MAX);
        // SAFETY: the queue lives as long as `self`, and `taken` has the given length.
        let count = unsafe { rd_kafka_consume_batch_queue(self.queue, millis, self.taken.as_mut_ptr(), BATCH) };
        let count = usize::try_from(count).unwrap_or(0);
        Batch {
            messages: self.taken.get(..count).unwrap_or_default().iter(),
        }
    }
}

impl<C: ConsumerContext> Drop for Messages<C> {
    fn drop(&mut self) {
        // SAFETY: created in `of` and no longer used; the client is dropped after it.
        unsafe { rd_kafka_queue_destroy(self.queue) };
    }
}

unsafe extern "C" fn log<C: ConsumerContext>(
    handle: *const rd_kafka_t,
    _: c_int,
    facility: *const c_char,
    message: *const c_char,
) {
    // SAFETY: the crate made its context the handle's opaque value, which outlives the handle; the strings belong to
    // librdkafka and are valid during the call.
    unsafe {
        let Some(context) = rd_kafka_opaque(handle).cast::<C>().as_ref() else {
            return;
        };
        let (facility, message) = (CStr::from_ptr(facility), CStr::from_ptr(message));
        context.log(
            RDKafkaLogLevel::Debug,
            &facility.to_string_lossy(),
            &message.to_string_lossy(),
        );
    }
}

/// The messages of one call; those that were not taken are destroyed with it.
struct Batch<'a> {
    messages: slice::Iter<'a, *mut rd_kafka_message_t>,
}

impl<'a> Iterator for Batch<'a> {
    type Item = Received<'a>;

    fn next(&mut self) -> Option<Received<'a>> {
        self.messages.next().map(|message| Received {
            message: *message,
            of: PhantomData,
        })
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        self.for_each(drop);
    }
}

/// A message or a partition event.
pub(in crate::sources::kafka) struct Received<'a> {
    message: *mut rd_kafka_message_t,
    of: PhantomData<&'a ()>,
}

impl Drop for Received<'_> {
    fn drop(&mut self) {
        // SAFETY: ours to destroy, exactly once.
        unsafe { rd_kafka_message_destroy(self.message) };
    }
}

impl Received<'_> {
    fn raw(&self) -> &rd_kafka_message_t {
        // SAFETY: valid until it is destroyed together with `self`.
        unsafe { &*self.message }
    }

    /// The error, if any; `PartitionEOF` if the partition ends at [`Received::offset`].
    pub fn error(&self) -> Option<RDKafkaErrorCode> {
        let code = RDKafkaErrorCode::from(self.raw().err);
        (code != RDKafkaErrorCode::NoError).then_some(code)
    }

    /// librdkafka's description of the error.
    pub fn reason(&self) -> String {
        // SAFETY: a string that belongs to the message, or a constant.
        let text = unsafe {
            rd_kafka_message_errstr(self.message)
                .as_ref()
                .map(|text| CStr::from_ptr(text))
        };
        text.map(|text| text.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// The topic; empty for an error that concerns none.
    pub fn topic(&self) -> &str {
        let topic = self.raw().rkt;
        if topic.is_null() {
            return "";
        }
        // SAFETY: the message keeps its topic, and the topic its name.
        let name = unsafe { CStr::from_ptr(rd_kafka_topic_name(topic)) };
        name.to_str().unwrap_or_default()
    }

    pub fn partition(&self) -> i32 {
        self.raw().partition
    }

    pub fn offset(&self) -> i64 {
        self.raw().offset
    }

    pub fn key(&self) -> Option<&[u8]> {
        let raw = self.raw();
        // SAFETY: the message has this many bytes there.
        (!raw.key.is_null()).then(|| unsafe { slice::from_raw_parts(raw.key.cast(), raw.key_len) })
    }

    pub fn value(&self) -> Option<&[u8]> {
        let raw = self.raw();
        // SAFETY: the message has this many bytes there.
        (!raw.payload.is_null()).then(|| unsafe { slice::from_raw_parts(raw.payload.cast(), raw.len) })
    }

    pub fn timestamp_millis(&self) -> Option<i64> {
        let mut kind = rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is valid.
        let millis = unsafe { rd_kafka_message_timestamp(self.message, &raw mut kind) };
        (kind != rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE && millis >= 0).then_some(millis)
    }

    /// Calls `add` with each header, in the message's order.
    pub fn headers(&self, add: &mut dyn FnMut(&str, Option<&[u8]>)) {
        let (mut headers, mut name, mut value, mut size) = (null_mut(), std::ptr::null(), std::ptr::null(), 0);
        // SAFETY: the returned pointers belong to the message.
        unsafe {
            if rd_kafka_message_headers(self.message, &raw mut headers) as i32 != 0 {
                return;
            }
            for index in 0.. {
                let found =
                    rd_kafka_header_get_all(headers, index, &raw mut name, &raw mut value, &raw mut size) as i32 == 0;
                if !found {
                    return;
                }
                let bytes = (!value.is_null()).then(|| slice::from_raw_parts(value.cast(), size));
                add(&CStr::from_ptr(name).to_string_lossy(), bytes);
            }
        }
    }
}
