//! Numbers in Protobuf's encoding, taken from the start of some bytes.

/// A number in up to ten bytes, of which all but the last have the highest bit set.
pub(super) fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..70).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(first & 0x7f).checked_shl(shift).unwrap_or_default();
        if first & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// A number whose sign is its lowest bit.
pub(super) fn zigzag(bytes: &mut &[u8]) -> Option<i64> {
    let number = varint(bytes)?;
    Some((number >> 1).cast_signed() ^ -((number & 1).cast_signed()))
}

/// So many bytes.
pub(super) fn take<'a>(bytes: &mut &'a [u8], count: u64) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(usize::try_from(count).ok()?)?;
    *bytes = rest;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_end_where_the_highest_bit_is_not_set() {
        let read = |mut bytes: &'static [u8]| (varint(&mut bytes), bytes);
        assert_eq!(read(b"\0a"), (Some(0), b"a".as_slice()));
        assert_eq!(read(b"\xac\x02"), (Some(300), b"".as_slice()));
        assert_eq!(read(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01").0, Some(u64::MAX));
        assert_eq!(read(b"\x80\x80").0, None);
        assert_eq!(read(b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00").0, None);
        let read = |mut bytes: &[u8]| zigzag(&mut bytes);
        assert_eq!(
            [read(b"\0"), read(b"\x01"), read(b"\x02"), read(b"\x03")],
            [0, -1, 1, -2].map(Some)
        );
        assert_eq!(read(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), Some(i64::MIN));
        let mut bytes = b"abc".as_slice();
        assert_eq!(
            (take(&mut bytes, 2), take(&mut bytes, 2)),
            (Some(b"ab".as_slice()), None)
        );
        assert_eq!(bytes, b"c");
    }
}
