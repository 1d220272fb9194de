//! Splits text that arrives in chunks into lines.

use std::hash::Hasher;

use serde::de::IgnoredAny;
use twox_hash::XxHash64;

use super::fingerprint::positive;

/// A line must fit in memory: a file without line breaks does not hold records.
pub(super) const LINE_BYTES_MAX: usize = 256 << 20;
const BOM: &[u8] = b"\xef\xbb\xbf";

/// Counts and hashes the lines of a text from an offset on.
#[derive(Clone)]
pub(super) struct Counter {
    /// Where the first line starts.
    pub start: u64,
    /// The number of lines, including empty ones.
    pub lines: u64,
    /// The number of non-empty lines, which are the records.
    pub records: u64,
    at: u64,
    hash: XxHash64,
    /// The number of bytes in the current line, and whether all of them are carriage returns.
    length: u64,
    only_return: bool,
    /// The number of leading lines that were read before.
    skip: u64,
    /// The last line read had no line break: if one follows, it does not end a new line.
    continues: bool,
}

impl Counter {
    /// Starts at an offset; `continues` says that it is in the middle of a line.
    pub fn new(start: u64, continues: bool) -> Self {
        Self {
            start,
            lines: 0,
            records: 0,
            at: start,
            hash: XxHash64::with_seed(0),
            length: 0,
            only_return: true,
            skip: 0,
            continues,
        }
    }

    /// Starts at the beginning of a text, but skips this many lines.
    pub fn skipping(skip: u64) -> Self {
        Self {
            skip,
            ..Self::new(0, false)
        }
    }

    /// Adds whole lines, in chunks.
    pub fn update(&mut self, mut text: &[u8]) {
        if self.at == 0
            && let Some(rest) = text.strip_prefix(BOM)
        {
            self.start_at(BOM.len() as u64);
            text = rest;
        }
        let (mut line, mut hashed) = (0, 0);
        for end in memchr::memchr_iter(b'\n', text) {
            self.extend_line(&text[line..end]);
            line = end + 1;
            if self.end_line() {
                self.start_at(self.at + (line - hashed) as u64);
                hashed = line;
            }
        }
        self.extend_line(&text[line..]);
        self.hash.write(&text[hashed..]);
        self.at += (text.len() - hashed) as u64;
    }

    /// Ends the last line, which is complete although it has no line break.
    pub fn end(&mut self) {
        if self.length > 0 && self.end_line() {
            self.start_at(self.at);
        }
    }

    fn extend_line(&mut self, text: &[u8]) {
        self.length += text.len() as u64;
        self.only_return &= text.is_empty() || text == b"\r";
    }

    /// Ends a line. Returns whether it had been read before.
    fn end_line(&mut self) -> bool {
        let empty = self.length == 0 || (self.length == 1 && self.only_return);
        let continues = std::mem::take(&mut self.continues);
        (self.length, self.only_return) = (0, true);
        if self.skip > 0 {
            self.skip -= 1;
            return true;
        }
        if continues && empty {
            return true;
        }
        self.lines += 1;
        self.records += u64::from(!empty);
        false
    }

    fn start_at(&mut self, start: u64) {
        (self.start, self.at) = (start, start);
        self.hash = XxHash64::with_seed(0);
    }

    /// A hash of the lines.
    pub fn hash(&self) -> i64 {
        positive(self.hash.finish())
    }
}

/// Whether a last line without a line break is complete: a JSON value that cannot be extended. `12` may become `123`.
pub(super) fn is_complete(line: &[u8]) -> bool {
    let value = line.strip_prefix(BOM).unwrap_or(line).trim_ascii();
    matches!(value.first(), Some(b'{' | b'[' | b'"')) && serde_json::from_slice::<IgnoredAny>(value).is_ok()
}

/// Reassembles lines that span chunks.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    begun: Vec<u8>,
}

impl Splitter {
    /// Calls `line` with each line that ends in the chunk, without its line break; stops when it returns `false`.
    pub fn feed(&mut self, chunk: &[u8], mut line: impl FnMut(&[u8]) -> bool) -> bool {
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', chunk) {
            let rest = &chunk[start..end];
            start = end + 1;
            let go_on = if self.begun.is_empty() {
                line(without_return(rest))
            } else {
                self.begun.extend_from_slice(rest);
                let go_on = line(without_return(&self.begun));
                self.begun.clear();
                go_on
            };
            if !go_on {
                return false;
            }
        }
        self.begun.extend_from_slice(&chunk[start..]);
        true
    }

    /// The last line, if it had no line break.
    pub fn rest(&self) -> &[u8] {
        without_return(&self.begun)
    }
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(mut counter: Counter, pieces: &[&str]) -> (u64, u64, u64) {
        pieces.iter().for_each(|piece| counter.update(piece.as_bytes()));
        counter.end();
        (counter.start, counter.lines, counter.records)
    }

    #[test]
    fn lines_are_counted_and_empty_ones_are_no_records() {
        let new = || Counter::new(0, false);
        assert_eq!(count(new(), &["a\r", "\n\r\n", "\n", "b\n", "c"]), (0, 5, 3));
        assert_eq!(count(new(), &["\u{feff}a\n"]), (3, 1, 1));
        assert_eq!(count(new(), &["\u{feff}\r\nb\n"]), (3, 2, 1));
        assert_eq!(count(new(), &["\r", "\r\n"]), (0, 1, 1));
    }

    #[test]
    fn a_line_break_that_came_late_ends_the_line_that_was_read() {
        assert_eq!(count(Counter::new(7, true), &["\r", "\n", "b\n"]), (9, 1, 1));
        assert_eq!(count(Counter::new(7, true), &["\n"]), (8, 0, 0));
        assert_eq!(count(Counter::new(7, true), &["b\n\n"]), (7, 2, 1));
        assert_eq!(count(Counter::skipping(2), &["a\n", "b\n", "c\n"]), (4, 1, 1));
        let (mut one, mut other) = (Counter::new(9, false), Counter::new(7, true));
        one.update(b"b\n");
        other.update(b"\r\nb\n");
        assert_eq!(one.hash(), other.hash());
    }

    #[test]
    fn what_may_still_grow_is_not_complete() {
        for complete in ["{\"n\":1}", " [1] ", "\"a\"", "\u{feff}{}"] {
            assert!(is_complete(complete.as_bytes()), "{complete}");
        }
        for growing in ["12", "{\"n\":", "text", "", "tru", "{}x"] {
            assert!(!is_complete(growing.as_bytes()), "{growing}");
        }
    }
}
