//! How deep a message nests. The library decodes nested messages by calling itself, and this build turns its limit off
//! (for plans of queries), so bytes that nest too deep are refused beforehand.
//!
//! Also refuses whatever is not well-formed: if a nested message is longer than what is around it, the
//! library reads on, and finds out later.

use prost_reflect::{Kind, MessageDescriptor};

use super::wire::{take, varint};

/// How many messages may be nested in one another. Each may be an object in a list, and the parser of JSON reads 127
/// levels of them.
pub(super) const NESTING_MAX: usize = 60;

/// Why bytes are not decoded.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Malformed,
    TooDeep,
}

/// Checks bytes that should be this message.
pub(super) fn check(message: &MessageDescriptor, mut bytes: &[u8]) -> Result<(), Refusal> {
    fields(Some(message), &mut bytes, None, NESTING_MAX)
}

/// Reads the fields of a message; of a group, up to its end. Messages may be nested in it so many levels deep. `None`
/// is a message that the schema does not know.
fn fields(
    message: Option<&MessageDescriptor>,
    bytes: &mut &[u8],
    group: Option<u64>,
    levels: usize,
) -> Result<(), Refusal> {
    while !bytes.is_empty() {
        let key = varint(bytes).ok_or(Refusal::Malformed)?;
        let (number, wire_type) = (key >> 3, key & 7);
        match wire_type {
            0 => _ = varint(bytes).ok_or(Refusal::Malformed)?,
            1 => _ = take(bytes, 8).ok_or(Refusal::Malformed)?,
            2 => {
                let length = varint(bytes).ok_or(Refusal::Malformed)?;
                let mut value = take(bytes, length).ok_or(Refusal::Malformed)?;
                if let Some(nested) = nested(message, number) {
                    let levels = levels.checked_sub(1).ok_or(Refusal::TooDeep)?;
                    fields(Some(&nested), &mut value, None, levels)?;
                }
            }
            3 => {
                let levels = levels.checked_sub(1).ok_or(Refusal::TooDeep)?;
                fields(nested(message, number).as_ref(), bytes, Some(number), levels)?;
            }
            4 if group == Some(number) => return Ok(()),
            5 => _ = take(bytes, 4).ok_or(Refusal::Malformed)?,
            _ => return Err(Refusal::Malformed),
        }
    }
    match group {
        None => Ok(()),
        Some(_) => Err(Refusal::Malformed),
    }
}

/// The message that a field holds; an entry of a map is one.
fn nested(message: Option<&MessageDescriptor>, number: u64) -> Option<MessageDescriptor> {
    let (message, number) = (message?, u32::try_from(number).ok()?);
    let kind = match message.get_field(number) {
        Some(field) => field.kind(),
        None => message.get_extension(number)?.kind(),
    };
    match kind {
        Kind::Message(nested) => Some(nested),
        _ => None,
    }
}
