//! Decodes a Protobuf message into a JSON text.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use prost_reflect::DynamicMessage;

use super::json::{TooLong, Writer};
use super::nesting::{NESTING_MAX, Refusal, check};
use super::schema::ProtobufSchema;
use crate::functions::by_schema::Body;

/// Appends the message of a value to a text; or says why there is none. `broken` is the reason if it is none of the
/// schema.
pub(super) fn decode(
    schema: &ProtobufSchema,
    body: &Body<'_>,
    broken: &str,
    text: &mut Vec<u8>,
) -> Result<(), Cow<'static, str>> {
    let broken = || -> Cow<'static, str> { broken.to_owned().into() };
    let (descriptor, bytes) = schema.message(body.bytes, body.after_id).ok_or_else(broken)?;
    check(&descriptor, bytes).map_err(|refusal| match refusal {
        Refusal::Malformed => broken(),
        Refusal::TooDeep => format!("nested more than {NESTING_MAX} deep").into(),
    })?;
    let write = || -> Result<(), Cow<'static, str>> {
        let Ok(message) = DynamicMessage::decode(descriptor, bytes) else {
            return Err(broken());
        };
        let written = Writer::new(text).message(&message);
        written.map_err(|TooLong| "longer than 64 MiB as JSON".into())
    };
    // Libraries may panic on damaged data.
    catch_unwind(AssertUnwindSafe(write)).unwrap_or_else(|_| Err(broken()))
}
