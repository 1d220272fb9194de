//! Records that are lines: where they end, how they are counted and read, with byte order marks, which are skipped, and
//! empty lines, which have a number but are not records.

use datafusion::error::Result;

use super::{Count, Counter, Ends, RecordHash, Rows, Splitter, Start};
use crate::plural::counted;

pub(super) const BOM: &[u8] = b"\xef\xbb\xbf";

/// Finds line breaks.
#[derive(Debug, Default)]
pub(super) struct LineEnds {
    has_begun: bool,
}

impl Ends for LineEnds {
    fn next_end(&mut self, text: &[u8]) -> Option<usize> {
        let end = memchr::memchr(b'\n', text).map(|end| end + 1);
        self.has_begun = end.is_none() && (self.has_begun || !text.is_empty());
        end
    }

    fn last_end(&mut self, text: &[u8]) -> Option<usize> {
        let end = memchr::memrchr(b'\n', text).map(|end| end + 1);
        self.has_begun = end.map_or(self.has_begun || !text.is_empty(), |end| end < text.len());
        end
    }

    fn has_begun(&self) -> bool {
        self.has_begun
    }
}

/// The warning about a last line that seems incomplete; `is` says why.
pub(super) fn unfinished(place: &str, bytes: u64, is: &str) -> String {
    format!(
        "the last line of {place} ({}) {is}: it is not read, because it may be incomplete; if it is complete, add a \
         line break, or set `growing: false` if files do not grow",
        counted(bytes, "byte", "bytes")
    )
}

/// Counts and hashes lines.
pub(super) struct LineCounter {
    /// Where the first line starts.
    start: u64,
    /// The number of lines, including empty ones.
    lines: u64,
    /// The number of non-empty lines, which are the records.
    records: u64,
    at: u64,
    hash: RecordHash,
    /// The number of bytes in the current line, and whether all of them are carriage returns.
    length: u64,
    only_return: bool,
    /// The number of leading lines that were read before.
    skip: u64,
    /// The last line read had no line break: if one follows, it does not end a new line.
    continues: bool,
}

impl LineCounter {
    pub fn new(start: Start) -> Self {
        Self {
            start: start.at,
            lines: 0,
            records: 0,
            at: start.at,
            hash: RecordHash::default(),
            length: 0,
            only_return: true,
            skip: start.skip,
            continues: start.continues,
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
        self.hash = RecordHash::default();
    }
}

impl Counter for LineCounter {
    fn update(&mut self, mut text: &[u8]) {
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
        self.hash.update(&text[hashed..]);
        self.at += (text.len() - hashed) as u64;
    }

    fn end(&mut self) {
        if self.length > 0 && self.end_line() {
            self.start_at(self.at);
        }
    }

    fn count(&self) -> Count {
        Count {
            start: self.start,
            lines: self.lines,
            records: self.records,
            hash: self.hash.value(),
        }
    }
}

/// Reassembles lines that span chunks.
#[derive(Debug, Default)]
pub(super) struct LineSplitter {
    begun: Vec<u8>,
}

impl Splitter for LineSplitter {
    fn feed(&mut self, chunk: &[u8], rows: &mut Rows) -> Result<bool> {
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', chunk) {
            let rest = &chunk[start..end];
            start = end + 1;
            let go_on = if self.begun.is_empty() {
                rows.push(without_return(rest))
            } else {
                self.begun.extend_from_slice(rest);
                let go_on = rows.push(without_return(&self.begun));
                self.begun.clear();
                go_on
            };
            if !go_on {
                return Ok(false);
            }
        }
        self.begun.extend_from_slice(&chunk[start..]);
        Ok(true)
    }

    fn end(&mut self, rows: &mut Rows) -> Result<()> {
        rows.push(without_return(&self.begun));
        self.begun.clear();
        Ok(())
    }
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counter(at: u64, continues: bool) -> LineCounter {
        LineCounter::new(Start { at, continues, skip: 0 })
    }

    fn count(mut counter: LineCounter, pieces: &[&str]) -> (u64, u64, u64) {
        pieces.iter().for_each(|piece| counter.update(piece.as_bytes()));
        counter.end();
        let count = counter.count();
        (count.start, count.lines, count.records)
    }

    #[test]
    fn lines_are_counted_and_empty_ones_are_no_records() {
        let new = || counter(0, false);
        assert_eq!(count(new(), &["a\r", "\n\r\n", "\n", "b\n", "c"]), (0, 5, 3));
        assert_eq!(count(new(), &["\u{feff}a\n"]), (3, 1, 1));
        assert_eq!(count(new(), &["\u{feff}\r\nb\n"]), (3, 2, 1));
        assert_eq!(count(new(), &["\r", "\r\n"]), (0, 1, 1));
    }

    #[test]
    fn a_line_break_that_came_late_ends_the_line_that_was_read() {
        assert_eq!(count(counter(7, true), &["\r", "\n", "b\n"]), (9, 1, 1));
        assert_eq!(count(counter(7, true), &["\n"]), (8, 0, 0));
        assert_eq!(count(counter(7, true), &["b\n\n"]), (7, 2, 1));
        let skipping = LineCounter::new(Start {
            skip: 2,
            ..Start::default()
        });
        assert_eq!(count(skipping, &["a\n", "b\n", "c\n"]), (4, 1, 1));
        let (mut one, mut other) = (counter(9, false), counter(7, true));
        one.update(b"b\n");
        other.update(b"\r\nb\n");
        assert_eq!(one.count().hash, other.count().hash);
    }
}
