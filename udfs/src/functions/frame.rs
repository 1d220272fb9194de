//! Where a value says which schema it has: Kafka clients with a schema registry write the schema's ID in a frame before
//! the value (Confluent's wire format: a zero byte, the ID in four bytes, the value), or in a header of the record.

use std::fmt;

/// The header of a record that has the ID of its value's schema.
pub(super) const SCHEMA_ID_HEADER: &str = "__value_schema_id";

/// Names a schema in a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SchemaId {
    /// Its number, which the registry chose.
    Number(u32),
    /// Its GUID, which is the same in every registry.
    Guid(Guid),
}

/// A globally unique ID: 16 bytes, most significant first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Guid(pub [u8; 16]);

/// An ID, and what follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Framed<'a> {
    /// The ID of the value's schema.
    pub schema_id: SchemaId,
    /// What follows: in a frame, the value.
    pub body: &'a [u8],
}

impl fmt::Display for SchemaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "schema ID {number}"),
            Self::Guid(guid) => write!(f, "schema GUID {guid}"),
        }
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = u128::from_be_bytes(self.0);
        let part = |shift: u32| (number >> shift) & 0xffff;
        let (first, last) = (number >> 96, number & 0xffff_ffff_ffff);
        write!(
            f,
            "{first:08x}-{:04x}-{:04x}-{:04x}-{last:012x}",
            part(80),
            part(64),
            part(48)
        )
    }
}

/// The value in a frame; `None` if there is no frame.
pub fn framed(value: &[u8]) -> Option<Framed<'_>> {
    let ([0, id @ ..], body) = value.split_first_chunk::<5>()? else {
        return None;
    };
    Some(Framed {
        schema_id: SchemaId::Number(u32::from_be_bytes(*id)),
        body,
    })
}

/// The ID in a header: in a frame, or after a byte of one, as a GUID. `None` if it is neither.
pub(super) fn in_header(header: &[u8]) -> Option<Framed<'_>> {
    framed(header).or_else(|| {
        let (guid, body) = header.strip_prefix(&[1])?.split_first_chunk::<16>()?;
        Some(Framed {
            schema_id: SchemaId::Guid(Guid(*guid)),
            body,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_a_zero_byte_and_an_id() {
        let framed = |value: &'static [u8]| framed(value).map(|framed| (framed.schema_id, framed.body));
        let number = SchemaId::Number;
        assert_eq!(
            framed(b"\0\0\x01\x86\xa1abc"),
            Some((number(100_001), b"abc".as_slice()))
        );
        assert_eq!(framed(b"\0\xff\xff\xff\xff"), Some((number(u32::MAX), b"".as_slice())));
        let others: [&[u8]; 5] = [b"", b"\0", b"\0\0\0\0", b"{\"a\":1}", b"\x01\0\0\0\x07abc"];
        for value in others {
            assert_eq!(framed(value), None, "{value:?}");
        }
    }

    #[test]
    fn a_header_has_a_number_or_a_guid() {
        let guid = Guid(*b"\xcc\x0e\x0e\x0e\x53\xc1\x4a\x1a\x8f\x1a\0\0\0\0\0\x01");
        let text = "cc0e0e0e-53c1-4a1a-8f1a-000000000001";
        assert_eq!(SchemaId::Guid(guid).to_string(), format!("schema GUID {text}"));
        assert_eq!(SchemaId::Number(7).to_string(), "schema ID 7");
        let header = [&[1_u8][..], &guid.0, &[0]].concat();
        let found = in_header(&header).map(|framed| (framed.schema_id, framed.body));
        assert_eq!(found, Some((SchemaId::Guid(guid), b"\0".as_slice())));
        let found = in_header(b"\0\0\0\0\x07").map(|framed| (framed.schema_id, framed.body));
        assert_eq!(found, Some((SchemaId::Number(7), b"".as_slice())));
        for header in [&header[..16], b"", b"\x02\0\0\0\x07"] {
            assert_eq!(in_header(header), None, "{header:?}");
        }
    }
}
