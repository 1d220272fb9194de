//! Finds where the rows of a CSV file end: a quoted field may contain line breaks, and empty lines and comments belong to
//! the row after them. A row without quotes is found at once, and others byte by byte.

use super::super::Ends;
use super::dialect::Dialect;

/// Finds the ends of rows: line breaks outside quotes. Empty lines and comments belong to the row after them.
#[derive(Debug, Clone)]
pub(super) struct RowEnds {
    dialect: Dialect,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before a row, with the number of bytes of a byte order mark that were seen.
    Before(u8),
    InComment,
    BeforeField,
    InField,
    InQuotes,
    /// The next byte in quotes is escaped.
    AfterEscape,
    /// The quotes ended, unless another quote follows.
    AfterQuote,
}

impl RowEnds {
    pub fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            state: State::Before(0),
        }
    }

    /// Whether nothing has begun, not even a comment or what may be a byte order mark.
    pub fn is_between(&self) -> bool {
        self.state == State::Before(0)
    }

    /// How many of the next bytes change nothing.
    fn plain(&self, text: &[u8]) -> usize {
        let Dialect {
            delimiter,
            quote,
            escape,
            ..
        } = self.dialect;
        let special = match (self.state, quote) {
            (State::InField, _) => memchr::memchr2(delimiter, b'\n', text),
            (State::InQuotes, Some(quote)) => memchr::memchr2(quote, escape.unwrap_or(quote), text),
            (State::InComment, _) => memchr::memchr(b'\n', text),
            _ => return 0,
        };
        special.unwrap_or(text.len())
    }

    /// Where a row without quotes ends that begins here. Most rows are such.
    fn plain_row_end(&self, text: &[u8]) -> Option<usize> {
        let first = *text.first()?;
        let is_preceded = matches!(first, b'\r' | b'\n' | 0xef) || Some(first) == self.dialect.comment;
        if is_preceded || self.state != State::Before(0) {
            return None;
        }
        let special = memchr::memchr2(self.dialect.quote.unwrap_or(b'\n'), b'\n', text)?;
        (text[special] == b'\n').then_some(special + 1)
    }

    /// Takes the next byte. Returns whether the row ends with it.
    fn take(&mut self, byte: u8) -> bool {
        let is = |special: Option<u8>| special == Some(byte);
        self.state = match self.state {
            State::Before(_) if matches!(byte, b'\r' | b'\n') => State::Before(0),
            State::Before(_) if is(self.dialect.comment) => State::InComment,
            State::Before(0) if byte == 0xef => State::Before(1),
            State::Before(1) if byte == 0xbb => State::Before(2),
            State::Before(2) if byte == 0xbf => State::Before(0),
            State::InComment if byte == b'\n' => State::Before(0),
            State::InComment => State::InComment,
            State::Before(0) | State::BeforeField if is(self.dialect.quote) => State::InQuotes,
            State::InQuotes if is(self.dialect.quote) => State::AfterQuote,
            State::InQuotes if is(self.dialect.escape) => State::AfterEscape,
            State::InQuotes | State::AfterEscape => State::InQuotes,
            State::AfterQuote if is(self.dialect.quote) => State::InQuotes,
            _ if byte == self.dialect.delimiter => State::BeforeField,
            _ if byte == b'\n' => {
                self.state = State::Before(0);
                return true;
            }
            _ => State::InField,
        };
        false
    }
}

impl Ends for RowEnds {
    fn next_end(&mut self, text: &[u8]) -> Option<usize> {
        if let Some(end) = self.plain_row_end(text) {
            return Some(end);
        }
        let mut at = self.plain(text);
        while let Some(byte) = text.get(at) {
            at += 1;
            if self.take(*byte) {
                return Some(at);
            }
            at += self.plain(&text[at..]);
        }
        None
    }

    fn has_begun(&self) -> bool {
        !matches!(self.state, State::Before(_) | State::InComment)
    }

    fn is_open(&self) -> bool {
        matches!(self.state, State::InQuotes | State::AfterEscape)
    }
}
