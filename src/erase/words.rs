//! Finds ids in bytes: as the value of a field of JSON ([`Fields`]), or as whole words anywhere ([`Words`]).
//!
//! A word is not part of a longer one: `u47` is not in `u471`. Ids that are short or only a few digits ([`is_distinct`])
//! are words of everything (a price, a count), so they are never looked for as words.
//!
//! Text may be gzip'd (records as they came), or written as hexadecimal digits (bytes in JSON).

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::Read;

use flate2::read::MultiGzDecoder;
use regex::bytes::{Regex, RegexBuilder};

use super::ErasureError;

/// The size of a compiled search: about a hundred thousand ids.
const SEARCH_BYTES_MAX: usize = 256 << 20;
/// How much of a compressed value is searched.
const PLAIN_BYTES_MAX: u64 = 256 << 20;
/// The shortest ID that the search takes for a word: if it is not a number, if it is one, and in hexadecimal digits.
const LENGTH_MIN: usize = 4;
const DIGITS_MIN: usize = 8;
const HEX_LENGTH_MIN: usize = 6;

/// Whether an id is so long that it stands for nothing else.
pub fn is_distinct(id: &str) -> bool {
    let is_number = id.bytes().all(|byte| byte.is_ascii_digit());
    id.len() >= if is_number { DIGITS_MIN } else { LENGTH_MIN }
}

/// Ids as whole words.
#[derive(Debug)]
pub struct Words {
    words: Option<Regex>,
    hex: Option<Regex>,
}

impl Words {
    /// A search for the distinct ones of these ids.
    ///
    /// # Errors
    /// When there are too many.
    pub fn new<'a>(ids: impl IntoIterator<Item = &'a str>) -> Result<Self, ErasureError> {
        let mut ids: Vec<&str> = ids.into_iter().filter(|id| is_distinct(id)).collect();
        // The first alternative that matches wins, and it has to be the longest.
        ids.sort_by_key(|id| std::cmp::Reverse(id.len()));
        let hex: Vec<String> = ids
            .iter()
            .filter(|id| id.len() >= HEX_LENGTH_MIN)
            .map(|id| hex(id))
            .collect();
        Ok(Self {
            words: any_of(ids.iter().copied()).map(|ids| search(&ids)).transpose()?,
            hex: any_of(hex.iter().map(String::as_str))
                .map(|ids| search(&format!("(?i:{ids})")))
                .transpose()?,
        })
    }

    /// Whether a text, perhaps compressed, has one of the words.
    pub fn in_text(&self, text: &[u8]) -> bool {
        let text = plain(text);
        self.has_word(&text, |_, _| false) || self.hex.as_ref().is_some_and(|hex| hex.is_match(&text))
    }

    /// Whether a file that is not text, such as Parquet, has one of the words in the open. The length of a word may stand
    /// before it, and is a letter by chance.
    pub fn in_binary(&self, bytes: &[u8]) -> bool {
        self.has_word(bytes, |before, length| usize::from(before) == length)
    }

    fn has_word(&self, bytes: &[u8], may_precede: impl Fn(u8, usize) -> bool) -> bool {
        let Some(words) = &self.words else { return false };
        let mut from = 0;
        while let Some(found) = words.find_at(bytes, from) {
            let before = found.start().checked_sub(1).map(|before| bytes[before]);
            let starts = before.is_none_or(|before| !is_of_word(before) || may_precede(before, found.len()));
            let ends = bytes.get(found.end()).is_none_or(|after| !is_of_word(*after));
            if starts && ends {
                return true;
            }
            from = found.start() + 1;
        }
        false
    }
}

/// Ids as values of fields of JSON, also in text that is truncated, or escaped within other JSON.
#[derive(Debug)]
pub struct Fields(Option<Regex>);

impl Fields {
    /// A search for ids, each list with the names of the fields that may hold them.
    ///
    /// # Errors
    /// When there are too many.
    pub fn new(lists: &[(&[String], &BTreeSet<String>)]) -> Result<Self, ErasureError> {
        let mut fields = vec![];
        for (names, ids) in lists {
            let ids = any_of(ids.iter().map(String::as_str));
            let (Some(names), Some(ids)) = (any_of(names.iter().map(String::as_str)), ids) else {
                continue;
            };
            fields.push(format!(r#""{names}\\*"\s*:\s*(?:\\*"{ids}\\*"|{ids}(?:[,}}\]\s]|$))"#));
        }
        let fields = Some(fields.join("|")).filter(|fields| !fields.is_empty());
        Ok(Self(fields.map(|fields| search(&fields)).transpose()?))
    }

    /// Whether a value, perhaps compressed, has one of the fields.
    pub fn are_in(&self, value: &[u8]) -> bool {
        self.0.as_ref().is_some_and(|fields| fields.is_match(&plain(value)))
    }
}

/// Alternatives; `None` if there are none.
fn any_of<'a>(texts: impl Iterator<Item = &'a str>) -> Option<String> {
    let texts: Vec<String> = texts.map(regex::escape).collect();
    (!texts.is_empty()).then(|| format!("(?:{})", texts.join("|")))
}

fn search(pattern: &str) -> Result<Regex, ErasureError> {
    RegexBuilder::new(pattern)
        .unicode(false)
        .size_limit(SEARCH_BYTES_MAX)
        .build()
        .map_err(|error| ErasureError::TooMany(Box::new(error)))
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-') || !byte.is_ascii()
}

fn hex(id: &str) -> String {
    id.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// What a value holds; of a damaged one, as much as can be read.
fn plain(value: &[u8]) -> Cow<'_, [u8]> {
    if !value.starts_with(&[0x1f, 0x8b]) {
        return value.into();
    }
    let mut plain = vec![];
    match MultiGzDecoder::new(value).take(PLAIN_BYTES_MAX).read_to_end(&mut plain) {
        Ok(_) => plain.into(),
        Err(error) => {
            tracing::debug!(%error, "a compressed value is damaged");
            plain.into()
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn words(ids: &[&str]) -> Words {
        Words::new(ids.iter().copied()).unwrap()
    }

    fn packed(text: &str) -> Vec<u8> {
        let mut packed = GzEncoder::new(vec![], Compression::fast());
        packed.write_all(text.as_bytes()).unwrap();
        packed.finish().unwrap()
    }

    #[test]
    fn a_word_is_not_part_of_a_longer_one() {
        let words = words(&["user_47", "user_471@x", "anna"]);
        for text in [
            "user_47",
            "{\"u\":\"user_47\"}",
            "user_47@2026",
            "a user_471@x",
            "Joanna anna",
        ] {
            assert!(words.in_text(text.as_bytes()), "{text}");
        }
        for text in ["user_471", "xuser_47", "user_47-b", "user_47é", "Joanna", ""] {
            assert!(!words.in_text(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn compressed_text_and_bytes_as_digits_are_read() {
        let words = words(&["user_47"]);
        assert!(words.in_text(&packed("{\"user_id\": \"user_47\"}")));
        assert!(!words.in_text(&packed("{\"user_id\": \"user_471\"}")));
        assert!(words.in_text(b"{\"value\":\"7b757365725f34377d\"}"));
        let mut torn = packed(&format!("user_47 {}", "x".repeat(100)));
        torn.truncate(torn.len() - 4);
        assert!(words.in_text(&torn));
    }

    #[test]
    fn a_length_may_precede_a_word_in_a_file_that_is_no_text() {
        // 48 letters: the length is the digit 0.
        let id = "a".repeat(48);
        let words = words(&[&id]);
        let bytes = [b"0", id.as_bytes(), &[0x18]].concat();
        assert!(words.in_binary(&bytes) && !words.in_text(&bytes));
    }

    #[test]
    fn short_ids_and_small_numbers_stand_for_too_much() {
        assert!(is_distinct("u471") && is_distinct("12345678"));
        assert!(!is_distinct("u47") && !is_distinct("1234567"));
        assert!(!words(&["u1", "42"]).in_text(b"u1 42"));
    }

    #[test]
    fn fields_have_their_names() {
        let (users, sessions) = (vec!["user_id".to_owned()], vec!["session_id".to_owned()]);
        let ids = |id: &str| BTreeSet::from([id.to_owned()]);
        let (u, s) = (ids("42"), ids("s.1"));
        let fields = Fields::new(&[(&users[..], &u), (&sessions[..], &s)]).unwrap();
        for text in [
            r#"{"user_id":"42"}"#,
            r#"{"user_id" : 42}"#,
            r#"{"user_id":42"#,
            r#"{"row":"{\"user_id\":\"42\"}"}"#,
            r#"{"a":{"session_id":"s.1"},"it"#,
        ] {
            assert!(fields.are_in(text.as_bytes()), "{text}");
            assert!(fields.are_in(&packed(text)), "{text}");
        }
        for text in [
            r#"{"user_id":"421"}"#,
            r#"{"user_id":421}"#,
            r#"{"price":42}"#,
            r#"{"session_id":"42"}"#,
            r#"{"session_id":"sx1"}"#,
            r#"{"a_user_id":"42"}"#,
        ] {
            assert!(!fields.are_in(text.as_bytes()), "{text}");
        }
        assert!(
            !Fields::new(&[(&users[..], &BTreeSet::new())])
                .unwrap()
                .are_in(b"\"user_id\":\"\"")
        );
    }
}
