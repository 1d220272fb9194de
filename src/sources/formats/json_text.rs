//! Writes texts as JSON strings.

use std::io::Write as _;

/// Appends a text as a JSON string. Bytes that are not UTF-8 stay as they are, so that whoever parses the record finds
/// them.
pub(super) fn push_string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    // Without a branch for each byte, so that the compiler takes many at once.
    let has_special = text.iter().fold(false, |any, byte| any | is_special(*byte));
    match has_special {
        true => push_escaped(text, out),
        false => out.extend_from_slice(text),
    }
    out.push(b'"');
}

/// Whether a byte must be escaped in a JSON string.
fn is_special(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

fn push_escaped(text: &[u8], out: &mut Vec<u8>) {
    let mut copied = 0;
    for (at, byte) in text.iter().enumerate() {
        if !is_special(*byte) {
            continue;
        }
        out.extend_from_slice(&text[copied..at]);
        copied = at + 1;
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            // Writing to a vector does not fail.
            _ => _ = write!(out, "\\u{byte:04x}"),
        }
    }
    out.extend_from_slice(&text[copied..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_is_what_it_was_after_parsing() {
        for text in ["", "a", "\"\\\n\r\t\u{0}\u{1f}\u{7f}/ü€🙂", "\\u0041", "ends with \""] {
            let mut json = vec![];
            push_string(text.as_bytes(), &mut json);
            let parsed: String = serde_json::from_slice(&json).unwrap();
            assert_eq!(parsed, text);
        }
        let mut json = vec![];
        push_string(b"\xff\"", &mut json);
        assert_eq!(json, b"\"\xff\\\"\"");
    }
}
