//! Grants access to a topic, which the `rdkafka` crate does not support: one call into librdkafka.

#![allow(unsafe_code)]

use std::ffi::CString;
use std::ptr::{null, null_mut};

use rdkafka::admin::AdminClient;
use rdkafka::bindings::*;
use rdkafka::client::DefaultClientContext;

/// Allows a user one operation on a topic.
pub fn allow(admin: &AdminClient<DefaultClientContext>, user: &str, topic: &str, operation: rd_kafka_AclOperation_t) {
    let (topic, principal) = (
        CString::new(topic).unwrap(),
        CString::new(format!("User:{user}")).unwrap(),
    );
    let handle = admin.inner().native_ptr();
    // SAFETY: the handle lives as long as `admin`; everything created here is destroyed here.
    unsafe {
        let mut binding = rd_kafka_AclBinding_new(
            rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC,
            topic.as_ptr(),
            rd_kafka_ResourcePatternType_t::RD_KAFKA_RESOURCE_PATTERN_LITERAL,
            principal.as_ptr(),
            c"*".as_ptr(),
            operation,
            rd_kafka_AclPermissionType_t::RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW,
            null_mut(),
            0,
        );
        assert!(!binding.is_null());
        let answers = rd_kafka_queue_new(handle);
        rd_kafka_CreateAcls(handle, &raw mut binding, 1, null(), answers);
        let event = rd_kafka_queue_poll(answers, 30_000);
        let result = rd_kafka_event_CreateAcls_result(event);
        let mut count = 0;
        let made = rd_kafka_CreateAcls_result_acls(result, &raw mut count);
        assert!(
            count == 1 && rd_kafka_acl_result_error(*made).is_null(),
            "the broker gave no leave"
        );
        rd_kafka_event_destroy(event);
        rd_kafka_queue_destroy(answers);
        rd_kafka_AclBinding_destroy(binding);
    }
}
