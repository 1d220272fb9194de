//! The frame that Kafka clients with a schema registry put around a value (Confluent's wire format): a zero byte, the
//! ID of the value's schema in four bytes, and the value.

/// A value in its frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Framed<'a> {
    /// The ID of its schema in the registry.
    pub schema_id: u32,
    pub body: &'a [u8],
}

/// The value in a frame; `None` if there is no frame.
pub(super) fn framed(value: &[u8]) -> Option<Framed<'_>> {
    let ([0, id @ ..], body) = value.split_first_chunk::<5>()? else {
        return None;
    };
    Some(Framed {
        schema_id: u32::from_be_bytes(*id),
        body,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_a_zero_byte_and_an_id() {
        let framed = |value: &'static [u8]| framed(value).map(|framed| (framed.schema_id, framed.body));
        assert_eq!(framed(b"\0\0\x01\x86\xa1abc"), Some((100_001, b"abc".as_slice())));
        assert_eq!(framed(b"\0\xff\xff\xff\xff"), Some((u32::MAX, b"".as_slice())));
        let others: [&[u8]; 5] = [b"", b"\0", b"\0\0\0\0", b"{\"a\":1}", b"\x01\0\0\0\x07abc"];
        for value in others {
            assert_eq!(framed(value), None, "{value:?}");
        }
    }
}
