//! Texts as JSON strings. Few texts have anything to escape, so they are copied once that is known: of a column as a
//! whole, or else of a text.

use datafusion::arrow::array::{ArrayAccessor, GenericStringArray, OffsetSizeTrait};
use datafusion::arrow::json::Encoder;

/// The highest bit of each of eight bytes.
const HIGHEST: u64 = repeated(0x80);

/// A column of texts.
pub(super) struct Texts<'a, O: OffsetSizeTrait> {
    texts: &'a GenericStringArray<O>,
    /// Whether none of them has anything to escape.
    are_plain: bool,
}

impl<'a, O: OffsetSizeTrait> Texts<'a, O> {
    pub fn new(texts: &'a GenericStringArray<O>) -> Self {
        let offsets = texts.value_offsets();
        let place = |offset: Option<&O>| offset.map_or(0, |offset| offset.as_usize());
        let all = &texts.value_data()[place(offsets.first())..place(offsets.last())];
        Self {
            texts,
            are_plain: !has_escapes(all),
        }
    }
}

impl<O: OffsetSizeTrait> Encoder for Texts<'_, O> {
    #[inline]
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        let text = self.texts.value(row);
        match self.are_plain {
            true => push_plain(text, out),
            false => push_text(text, out),
        }
    }
}

/// Texts that do not lie one after another.
pub(super) struct Scattered<A>(pub A);

impl<'a, A: ArrayAccessor<Item = &'a str>> Encoder for Scattered<A> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        push_text(self.0.value(row), out);
    }
}

/// Appends a text as a JSON string.
pub(super) fn push_text(text: &str, out: &mut Vec<u8>) {
    if has_escapes(text.as_bytes()) {
        // Writing to a vector does not fail.
        _ = serde_json::to_writer(out, text);
    } else {
        push_plain(text, out);
    }
}

#[inline]
fn push_plain(text: &str, out: &mut Vec<u8>) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

/// Whether JSON cannot hold a text as it is: because of quotes, backslashes or control characters.
fn has_escapes(text: &[u8]) -> bool {
    let (eights, rest) = text.as_chunks::<8>();
    eights.iter().any(|eight| one_is_escaped(*eight)) || rest.iter().any(|byte| is_escaped(*byte))
}

fn is_escaped(byte: u8) -> bool {
    byte < b' ' || byte == b'"' || byte == b'\\'
}

/// [`is_escaped`] of any of eight bytes. What is subtracted from a byte borrows from the next one only if it finds
/// something, so the answer is right, though not the place. See "Bit Twiddling Hacks" (Anderson), `haszero` and
/// `hasless`.
fn one_is_escaped(eight: [u8; 8]) -> bool {
    let eight = u64::from_le_bytes(eight);
    let less = |bytes: u64, than: u8| bytes.wrapping_sub(repeated(than)) & !bytes;
    let quote = less(eight ^ repeated(b'"'), 1);
    let backslash = less(eight ^ repeated(b'\\'), 1);
    (less(eight, b' ') | quote | backslash) & HIGHEST != 0
}

const fn repeated(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::iter::once;

    use datafusion::arrow::array::{StringArray, StringViewArray};
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_byte_that_is_escaped_is_found_at_each_place() {
        for byte in 0..=u8::MAX {
            for place in 0..19 {
                for others in [b'a', 0x7f, 0xff] {
                    let mut text = [others; 19];
                    text[place] = byte;
                    assert_eq!(has_escapes(&text), is_escaped(byte), "{byte} at {place}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn texts_are_those_of_serde(
            texts in vec(prop_oneof!["[ -~]{0,20}", "\\PC{0,12}", "[a-z\\x00-\\x1f]{0,12}"], 1..8)
        ) {
            let array = StringArray::from_iter_values(&texts);
            // Others come before and after these.
            let padded = once("\"").chain(texts.iter().map(String::as_str)).chain(once("\\"));
            let part = StringArray::from_iter_values(padded).slice(1, texts.len());
            let views = StringViewArray::from_iter_values(&texts);
            let (mut whole, mut part, mut views) = (Texts::new(&array), Texts::new(&part), Scattered(&views));
            for (row, text) in texts.iter().enumerate() {
                let expected = serde_json::to_vec(text).unwrap();
                let encoders: [&mut dyn Encoder; 3] = [&mut whole, &mut part, &mut views];
                for encoder in encoders {
                    let mut out = vec![];
                    encoder.encode(row, &mut out);
                    prop_assert_eq!(&out, &expected);
                }
            }
        }
    }
}
