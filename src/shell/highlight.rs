//! Syntax highlighting: the parts of an input, and their colors.

use std::ops::Range;

use datafusion::sql::sqlparser::tokenizer::Token;
use nu_ansi_term::{Color, Style};

use super::tokens::{Piece, tokens};

/// Keywords, which are highlighted and completed.
pub(super) const KEYWORDS: &[&str] = &[
    "all",
    "analyze",
    "and",
    "any",
    "as",
    "asc",
    "between",
    "by",
    "case",
    "cast",
    "copy",
    "cross",
    "current",
    "date",
    "desc",
    "describe",
    "distinct",
    "else",
    "end",
    "except",
    "exists",
    "explain",
    "extract",
    "false",
    "filter",
    "first",
    "following",
    "for",
    "from",
    "full",
    "group",
    "having",
    "ilike",
    "in",
    "inner",
    "insert",
    "intersect",
    "interval",
    "into",
    "is",
    "join",
    "last",
    "lateral",
    "left",
    "like",
    "limit",
    "natural",
    "not",
    "null",
    "nulls",
    "offset",
    "on",
    "or",
    "order",
    "outer",
    "over",
    "partition",
    "preceding",
    "qualify",
    "range",
    "recursive",
    "right",
    "rows",
    "select",
    "semi",
    "show",
    "similar",
    "then",
    "timestamp",
    "to",
    "true",
    "unbounded",
    "union",
    "unnest",
    "using",
    "values",
    "when",
    "where",
    "window",
    "with",
    "within",
];

pub(super) fn is_keyword(word: &str) -> bool {
    KEYWORDS.binary_search(&word.to_ascii_lowercase().as_str()).is_ok()
}

/// The kind of a part of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Plain,
    Keyword,
    Function,
    Argument,
    Text,
    Number,
    Comment,
    Command,
}

impl Part {
    /// Colors that are readable on a dark and on a light background.
    pub fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Keyword => Color::Blue.bold(),
            Self::Function => Color::Cyan.normal(),
            Self::Argument => Color::Purple.normal(),
            Self::Text => Color::Green.normal(),
            Self::Number => Color::Yellow.normal(),
            Self::Comment => Style::new().dimmed(),
            Self::Command => Color::Purple.bold(),
        }
    }
}

/// The parts of an input; together, they cover all of it.
pub(super) fn parts(input: &str) -> Vec<(Range<usize>, Part)> {
    if let Some(at) = input
        .find(|letter: char| !letter.is_whitespace())
        .filter(|at| input[*at..].starts_with('\\'))
    {
        let end = input[at..]
            .find(char::is_whitespace)
            .map_or(input.len(), |length| at + length);
        return vec![(0..end, Part::Command), (end..input.len(), Part::Plain)];
    }
    let tokens = tokens(input);
    let pieces = &tokens.pieces;
    let mut parts: Vec<(Range<usize>, Part)> = vec![];
    for (index, piece) in pieces.iter().enumerate() {
        let next = pieces[index + 1..].iter().find(|piece| !piece.is_blank());
        let part = part(piece, next.map(|piece| &piece.token));
        parts.push((piece.range.clone(), part));
    }
    if let Some(open) = tokens.open {
        let part = if input[open..].starts_with("/*") {
            Part::Comment
        } else {
            Part::Text
        };
        parts.push((open..input.len(), part));
    }
    parts
}

fn part(piece: &Piece, next: Option<&Token>) -> Part {
    match (&piece.token, piece.word()) {
        _ if piece.is_comment() => Part::Comment,
        (Token::Number(..), _) => Part::Number,
        (_, Some(_)) if next == Some(&Token::RArrow) => Part::Argument,
        (_, Some(word)) if is_keyword(word) => Part::Keyword,
        (_, Some(_)) if next == Some(&Token::LParen) => Part::Function,
        (Token::Word(_) | Token::Whitespace(_), _) => Part::Plain,
        (token, _) if token.to_string().contains('\'') => Part::Text,
        _ => Part::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(input: &str) -> Vec<(&str, Part)> {
        let parts = parts(input);
        let whole: String = parts.iter().map(|(range, _)| &input[range.clone()]).collect();
        assert_eq!(whole, input, "all of it");
        let parts = parts.into_iter().filter(|(_, part)| *part != Part::Plain);
        parts.map(|(range, part)| (&input[range], part)).collect()
    }

    #[test]
    fn keywords_are_sorted() {
        assert!(KEYWORDS.is_sorted());
    }

    #[test]
    fn parts_of_a_statement() {
        let expected = [
            ("Select", Part::Keyword),
            ("count", Part::Function),
            ("from", Part::Keyword),
            ("similar_items", Part::Function),
            ("k", Part::Argument),
            ("3", Part::Number),
            ("-- why", Part::Comment),
        ];
        assert_eq!(
            shown("Select count(*), \"from\" from similar_items(gold.f, k => 3) -- why"),
            expected
        );
    }

    #[test]
    fn what_is_still_open_is_a_text_already() {
        assert_eq!(
            shown("select 'abc;"),
            [("select", Part::Keyword), ("'abc;", Part::Text)]
        );
        assert_eq!(shown("\\d silver.events"), [("\\d", Part::Command)]);
    }
}
