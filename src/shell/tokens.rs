//! SQL as tokens with their positions, also for unfinished text.

use std::ops::Range;

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, Tokenizer, Whitespace};

/// A token and its byte range in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub token: Token,
    pub range: Range<usize>,
}

impl Piece {
    /// Spaces, line breaks and comments.
    pub fn is_blank(&self) -> bool {
        matches!(self.token, Token::Whitespace(_))
    }

    pub fn is_comment(&self) -> bool {
        use Whitespace::{MultiLineComment, SingleLineComment};
        matches!(
            self.token,
            Token::Whitespace(SingleLineComment { .. } | MultiLineComment(_))
        )
    }

    /// A word without quotes, as written.
    pub fn word(&self) -> Option<&str> {
        match &self.token {
            Token::Word(word) if word.quote_style.is_none() => Some(&word.value),
            _ => None,
        }
    }

    /// The name that a word refers to: in lower case, unless it is quoted.
    pub fn name(&self) -> Option<String> {
        match &self.token {
            Token::Word(word) if word.quote_style.is_some() => Some(word.value.clone()),
            Token::Word(word) => Some(word.value.to_lowercase()),
            _ => None,
        }
    }

    pub fn is_word(&self, word: &str) -> bool {
        self.word().is_some_and(|written| written.eq_ignore_ascii_case(word))
    }
}

/// The tokens of a text.
#[derive(Debug, Clone)]
pub(super) struct Tokens {
    pub pieces: Vec<Piece>,
    /// Where an unterminated text, comment or quoted name begins.
    pub open: Option<usize>,
}

/// Splits a text into tokens, as far as possible.
pub(super) fn tokens(text: &str) -> Tokens {
    let dialect = GenericDialect {};
    let mut found = vec![];
    let cut = Tokenizer::new(&dialect, text).tokenize_with_location_into_buf(&mut found);
    let mut offsets = ByteOffsets::new(text);
    let mut pieces: Vec<Piece> = vec![];
    for found in found {
        let start = offsets.byte(found.span.start);
        pieces.push(Piece {
            token: found.token,
            range: start..offsets.byte(found.span.end),
        });
    }
    let end = pieces.last().map_or(0, |last| last.range.end);
    let open = cut.is_err().then_some(end);
    Tokens { pieces, open }
}

/// Converts lines and columns, in ascending order, to byte offsets.
struct ByteOffsets<'a> {
    rest: std::str::CharIndices<'a>,
    at: Location,
    byte: usize,
}

impl<'a> ByteOffsets<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            rest: text.char_indices(),
            at: Location::new(1, 1),
            byte: 0,
        }
    }

    fn byte(&mut self, wanted: Location) -> usize {
        while (self.at.line, self.at.column) < (wanted.line, wanted.column) {
            match self.rest.next() {
                Some((_, '\n')) => self.at = Location::new(self.at.line + 1, 1),
                Some(_) => self.at.column += 1,
                None => break,
            }
            self.byte = self.rest.offset();
        }
        self.byte
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_the_text_byte_for_byte() {
        let text = "select 'zwölf', \"ö\" -- ü\nfrom a.b /* ß\n */ where x <= 1.5;";
        let tokens = tokens(text);
        let whole: String = tokens.pieces.iter().map(|piece| &text[piece.range.clone()]).collect();
        assert_eq!((whole.as_str(), tokens.open), (text, None));
    }

    #[test]
    fn a_text_without_end_is_open_from_its_quote() {
        for (text, quote) in [("select 'a;", "'"), ("select /* a;", "/*"), ("select \"a", "\"")] {
            assert_eq!(tokens(text).open, text.find(quote), "{text}");
        }
    }
}
