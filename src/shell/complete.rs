//! Completion: what may come next at a place in a text, given the known names. It needs nothing else, so it is fast.

use std::ops::Range;

use datafusion::sql::sqlparser::keywords::{Keyword, RESERVED_FOR_COLUMN_ALIAS, RESERVED_FOR_TABLE_ALIAS};
use datafusion::sql::sqlparser::tokenizer::Token;

use super::command::COMMANDS;
use super::file_names::file_names;
use super::highlight::KEYWORDS;
use super::known_names::KnownNames;
use super::print::Format;
use super::scope::Scope;
use super::tokens::{Piece, tokens};
use crate::engine::{FunctionHelp, FunctionKind};

/// The text to insert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    pub text: String,
    /// What it is, shown next to it in the menu.
    pub detail: String,
}

/// Candidates for a range of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Completion {
    pub range: Range<usize>,
    pub candidates: Vec<Candidate>,
}

/// Completes the word before the cursor (a byte offset).
pub(super) fn complete(text: &str, cursor: usize, known: &KnownNames) -> Completion {
    let before = text.get(..cursor).unwrap_or(text);
    if before.trim_start().starts_with('\\') && !before.trim_start().contains('\n') {
        return command(before, known);
    }
    let start = word_start(before);
    let mut candidates = Candidates {
        word: &before[start..],
        range: start..before.len(),
        candidates: vec![],
    };
    let tokens = tokens(text);
    let (before, after) = around(&tokens.pieces, start);
    if let Some(open) = inside_text(text, &tokens.pieces, tokens.open, cursor) {
        if before_text_of_a_name(before, open) {
            candidates.names_in_quotes(&text[open + 1..cursor], known);
        } else if known.files && text[open..].starts_with('\'') && before_text_of_a_file(before, open) {
            candidates.files_in_quotes(&text[open + 1..cursor]);
        }
        return candidates.done();
    }
    let scope = Scope::of(before, after, known);
    candidates.expression_or_table(before, &scope, known);
    candidates.done()
}

/// The tokens of the statement around the place: those before it, and those after it.
fn around(pieces: &[Piece], place: usize) -> (&[Piece], &[Piece]) {
    let here = pieces.partition_point(|piece| piece.range.end <= place);
    let is_end = |piece: &Piece| piece.token == Token::SemiColon;
    let begin = pieces[..here].iter().rposition(is_end).map_or(0, |end| end + 1);
    let end = pieces[here..]
        .iter()
        .position(is_end)
        .map_or(pieces.len(), |end| here + end);
    (&pieces[begin..here], &pieces[here..end])
}

/// Where the quoted text that contains the cursor begins; comments count as text.
fn inside_text(text: &str, pieces: &[Piece], open: Option<usize>, cursor: usize) -> Option<usize> {
    if let Some(open) = open.filter(|open| *open < cursor) {
        return Some(open);
    }
    let at = pieces
        .iter()
        .find(|piece| piece.range.start < cursor && cursor < piece.range.end)?;
    (at.is_comment() || text[at.range.clone()].starts_with('\'')).then_some(at.range.start)
}

/// What comes before a text, the nearest first.
fn pieces_before(before: &[Piece], open: usize) -> impl Iterator<Item = &Piece> {
    let before = before.iter().rev();
    before.filter(move |piece| piece.range.end <= open && !piece.is_blank())
}

/// `from '`, `join '`, `copy … to '`, `read_csv('`, and the like.
fn before_text_of_a_file(before: &[Piece], open: usize) -> bool {
    let mut before = pieces_before(before, open);
    match before.next() {
        Some(parenthesis) if parenthesis.token == Token::LParen => {
            let function = before.next().and_then(Piece::name);
            function.is_some_and(|function| function.starts_with("read_"))
        }
        Some(word) => ["from", "join", "to"].iter().any(|before| word.is_word(before)),
        None => false,
    }
}

/// `changes('`, `latest('`, `table_version('`, and the like.
fn before_text_of_a_name(before: &[Piece], open: usize) -> bool {
    let mut before = pieces_before(before, open);
    let parenthesis = before.next().is_some_and(|piece| piece.token == Token::LParen);
    let names = ["changes", "latest", "table_version"];
    parenthesis
        && before
            .next()
            .is_some_and(|function| names.iter().any(|name| function.is_word(name)))
}

/// A word may contain dots.
fn word_start(before: &str) -> usize {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '.';
    before.rfind(|letter| !is_part(letter)).map_or(0, |at| {
        let letter = before[at..].chars().next().map_or(1, char::len_utf8);
        at + letter
    })
}

/// A command or its argument.
fn command(before: &str, known: &KnownNames) -> Completion {
    let start = before.rfind(char::is_whitespace).map_or(0, |at| at + 1);
    let line = before.trim_start();
    let mut candidates = Candidates {
        word: &before[start..],
        range: start..before.len(),
        candidates: vec![],
    };
    match line.split_once(char::is_whitespace) {
        None => candidates.add(COMMANDS.iter().map(|(name, _, doc)| (*name, *doc))),
        Some(("\\d" | "\\history", _)) => candidates.add(known.names().map(|name| (name, "table"))),
        Some(("\\df", _)) => candidates.add(known.functions.iter().map(|help| (&*help.name, first_sentence(help)))),
        Some(("\\run", _)) => candidates.add(known.steps.iter().map(|name| (&**name, "step"))),
        Some(("\\format", _)) => {
            let names: Vec<String> = Format::all().map(|format| format.to_string()).collect();
            candidates.add(names.iter().map(|name| (&**name, "format")));
        }
        Some(("\\at", _)) => candidates.add([("now", "the current state")]),
        Some(("\\x" | "\\timing", _)) => candidates.add([("on", ""), ("off", "")]),
        Some(("\\explain", rest)) => return shifted(before, rest, known),
        Some(_) => {}
    }
    candidates.done()
}

/// The statement after `\explain`.
fn shifted(before: &str, statement: &str, known: &KnownNames) -> Completion {
    let shift = before.len() - statement.len();
    let mut found = complete(statement, statement.len(), known);
    found.range = found.range.start + shift..found.range.end + shift;
    found
}

/// The word to complete, and the candidates found so far.
struct Candidates<'a> {
    word: &'a str,
    range: Range<usize>,
    candidates: Vec<(u8, Candidate)>,
}

impl Candidates<'_> {
    /// Adds those that begin with the word or, if there are none, contain it.
    fn add<'b>(&mut self, names: impl IntoIterator<Item = (&'b str, &'b str)>) {
        let word = self.word.to_lowercase();
        for (name, detail) in names {
            let rank = match name.trim_matches('"').to_lowercase() {
                lower if lower.starts_with(&word) => 0,
                lower if word.len() > 1 && lower.contains(&word) => 1,
                _ => continue,
            };
            let candidate = Candidate {
                text: name.to_owned(),
                detail: detail.to_owned(),
            };
            if !self.candidates.iter().any(|(_, known)| known.text == candidate.text) {
                self.candidates.push((rank, candidate));
            }
        }
    }

    fn expression_or_table(&mut self, before: &[Piece], scope: &Scope<'_>, known: &KnownNames) {
        if let Some((qualifier, _)) = self.word.rsplit_once('.') {
            let columns = scope.columns_of(&qualifier.to_lowercase());
            let columns = columns
                .iter()
                .map(|(name, kind)| (format!("{qualifier}.{}", quoted(name)), kind));
            let columns: Vec<(String, &String)> = columns.collect();
            self.add(columns.iter().map(|(name, kind)| (&**name, &***kind)));
            return self.tables(known, &[]);
        }
        if let Some(function) = scope.call(known) {
            self.arguments(function, &scope.given);
            let first = before.iter().rfind(|piece| !piece.is_blank());
            if first.is_some_and(|piece| piece.token == Token::LParen) {
                return self.tables(known, &scope.ctes);
            }
        } else if scope.wants_table {
            return self.tables(known, &scope.ctes);
        }
        let columns: Vec<(String, &str)> = scope.columns().map(|(name, kind)| (quoted(name), &**kind)).collect();
        self.add(columns.iter().map(|(name, kind)| (&**name, *kind)));
        if !self.word.is_empty() {
            self.functions(known, |kind| kind != FunctionKind::Table);
            self.keywords();
        } else if columns.is_empty() {
            self.keywords();
        }
    }

    fn tables(&mut self, known: &KnownNames, ctes: &[String]) {
        self.add(ctes.iter().map(|name| (&**name, "with")));
        self.add(known.names().map(|name| (name, "table")));
        self.functions(known, |kind| kind == FunctionKind::Table);
    }

    fn functions(&mut self, known: &KnownNames, wanted: impl Fn(FunctionKind) -> bool) {
        let functions = known.functions.iter().filter(|help| wanted(help.kind));
        let functions: Vec<(String, &str)> = functions
            .map(|help| (format!("{}(", help.name), first_sentence(help)))
            .collect();
        self.add(functions.iter().map(|(name, doc)| (&**name, *doc)));
    }

    fn arguments(&mut self, function: &FunctionHelp, given: &[String]) {
        let open = function
            .parameters
            .iter()
            .filter(|parameter| !given.contains(&parameter.name));
        let open: Vec<(String, &str)> = open
            .map(|parameter| (format!("{} => ", parameter.name), &*parameter.doc))
            .collect();
        self.add(open.iter().map(|(name, doc)| (&**name, *doc)));
    }

    /// In capitals if the word is.
    fn keywords(&mut self) {
        let capitals = self.word.len() > 1 && !self.word.contains(char::is_lowercase);
        let words = KEYWORDS.iter().map(|word| {
            if capitals {
                word.to_uppercase()
            } else {
                (*word).to_owned()
            }
        });
        let words: Vec<String> = words.collect();
        self.add(words.iter().map(|word| (&**word, "")));
    }

    fn names_in_quotes(&mut self, word: &str, known: &KnownNames) {
        let sources = known.sources.iter().map(|name| (&**name, "source"));
        self.in_quotes(word, sources.chain(known.names().map(|name| (name, "table"))));
    }

    fn files_in_quotes(&mut self, word: &str) {
        let names = file_names(word);
        self.in_quotes(word, names.iter().map(|(name, kind)| (&**name, *kind)));
    }

    /// Completes the whole text, in which a word of SQL may be only a part.
    fn in_quotes<'b>(&mut self, word: &str, names: impl IntoIterator<Item = (&'b str, &'b str)>) {
        let end = self.range.end;
        let mut inner = Candidates {
            word,
            range: end - word.len()..end,
            candidates: vec![],
        };
        inner.add(names);
        self.range = inner.range;
        self.candidates = inner.candidates;
    }

    /// The names that begin with the word or, if there are none, contain it.
    fn done(mut self) -> Completion {
        let best = self.candidates.iter().map(|(rank, _)| *rank).min();
        self.candidates.retain(|(rank, _)| Some(*rank) == best);
        Completion {
            range: self.range,
            candidates: self.candidates.into_iter().map(|(_, candidate)| candidate).collect(),
        }
    }
}

fn first_sentence(help: &FunctionHelp) -> &str {
    let line = help.summary.lines().next().unwrap_or_default();
    line.split_inclusive(". ").next().unwrap_or_default().trim_end()
}

/// A column name as SQL requires it, quoted if necessary.
pub(super) fn quoted(name: &str) -> String {
    let plain = name.starts_with(|letter: char| letter.is_ascii_lowercase() || letter == '_')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    let keyword = match Token::make_word(name, None) {
        Token::Word(word) => word.keyword,
        _ => Keyword::NoKeyword,
    };
    let reserved = RESERVED_FOR_TABLE_ALIAS.contains(&keyword) || RESERVED_FOR_COLUMN_ALIAS.contains(&keyword);
    if plain && !reserved {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

#[cfg(test)]
#[path = "complete_tests.rs"]
mod tests;
