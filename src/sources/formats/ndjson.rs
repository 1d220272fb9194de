//! The format `ndjson`: one JSON value per line; a last line may be complete without a line break.

use serde::de::IgnoredAny;

use super::lines::{BOM, LineSplitter, unfinished};
use super::{Format, Layout, Splitter, TextFormat};

/// Newline-delimited JSON. The values are passed on as they are: SQL parses them.
#[derive(Debug)]
pub(super) struct Ndjson;

impl Format for Ndjson {
    fn name(&self) -> &'static str {
        "ndjson"
    }

    fn endings(&self) -> &'static [&'static str] {
        &[".json", ".ndjson", ".jsonl"]
    }

    fn layout(&self) -> Layout<'_> {
        Layout::Text(self)
    }
}

impl TextFormat for Ndjson {
    /// A JSON value that cannot be extended is complete without a line break. `12` may become `123`.
    fn is_complete(&self, rest: &[u8]) -> bool {
        has_an_end(rest) && serde_json::from_slice::<IgnoredAny>(value(rest)).is_ok()
    }

    /// A number or a word never shows whether it is cut off.
    fn is_cut_off(&self, rest: &[u8]) -> bool {
        has_an_end(rest) && !self.is_complete(rest)
    }

    fn unfinished(&self, place: &str, bytes: u64) -> String {
        unfinished(place, bytes, "has no line break and is not a complete JSON object")
    }

    fn splitter(&self, _: &[u8]) -> Box<dyn Splitter> {
        Box::<LineSplitter>::default()
    }
}

/// The value of a line.
fn value(line: &[u8]) -> &[u8] {
    line.strip_prefix(BOM).unwrap_or(line).trim_ascii()
}

/// Whether a value is of a kind that shows where it ends.
fn has_an_end(line: &[u8]) -> bool {
    matches!(value(line).first(), Some(b'{' | b'[' | b'"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_end_was_cut_off_and_of_numbers_and_words_nobody_can_tell() {
        for cut in ["{\"n\":", "\u{feff}{", "[1, ", "\"a", "{}x"] {
            assert!(Ndjson.is_cut_off(cut.as_bytes()), "{cut}");
        }
        for whole in ["", " \r", "{\"n\":1}", "12", "tru"] {
            assert!(!Ndjson.is_cut_off(whole.as_bytes()), "{whole}");
        }
    }

    #[test]
    fn what_may_still_grow_is_not_complete() {
        for complete in ["{\"n\":1}", " [1] ", "\"a\"", "\u{feff}{}"] {
            assert!(Ndjson.is_complete(complete.as_bytes()), "{complete}");
        }
        for growing in ["12", "{\"n\":", "text", "", "tru", "{}x"] {
            assert!(!Ndjson.is_complete(growing.as_bytes()), "{growing}");
        }
    }
}
