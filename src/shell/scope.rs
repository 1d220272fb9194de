//! What the names in an unfinished statement refer to: its tables, their aliases and columns, for completion.

use datafusion::sql::sqlparser::keywords::RESERVED_FOR_TABLE_ALIAS;
use datafusion::sql::sqlparser::tokenizer::Token;

use super::known_names::{KnownNames, Relation};
use super::tokens::Piece;
use crate::engine::FunctionHelp;

/// What a place in a statement can refer to.
#[derive(Debug, Default)]
pub(super) struct Scope<'a> {
    /// The tables in the statement, each with its alias.
    relations: Vec<(&'a Relation, Option<String>)>,
    /// The names of CTEs.
    pub ctes: Vec<String>,
    /// Whether a table name belongs at the place.
    pub wants_table: bool,
    /// The function whose arguments contain the place.
    function: Option<String>,
    /// The arguments that this call has already named.
    pub given: Vec<String>,
}

impl<'a> Scope<'a> {
    /// Reads a statement from its tokens before and after the place.
    pub fn of(before: &[Piece], after: &[Piece], known: &'a KnownNames) -> Self {
        let before: Vec<&Piece> = before.iter().filter(|piece| !piece.is_blank()).collect();
        let after = after.iter().filter(|piece| !piece.is_blank());
        let all: Vec<&Piece> = before.iter().copied().chain(after).collect();
        let mut scope = Self {
            relations: relations(&all, known),
            ctes: ctes(&all),
            ..Self::default()
        };
        scope.look_back(&before);
        scope
    }

    /// The function whose call contains the place, if its arguments have names.
    pub fn call(&self, known: &'a KnownNames) -> Option<&'a FunctionHelp> {
        let name = self.function.as_ref()?;
        known.functions.iter().find(|help| help.named && help.name == *name)
    }

    /// The columns of all tables in the statement.
    pub fn columns(&self) -> impl Iterator<Item = &'a (String, String)> {
        self.relations.iter().flat_map(|(relation, _)| &relation.columns)
    }

    /// The columns of the table with this name: an alias, `layer.table`, or `table`.
    pub fn columns_of(&self, name: &str) -> &'a [(String, String)] {
        let found = self.relations.iter().find(|(relation, alias)| {
            let of_layer = relation.name.rsplit('.').next();
            alias.as_deref() == Some(name) || relation.name == name || of_layer == Some(name)
        });
        found.map_or(&[], |(relation, _)| &relation.columns)
    }

    /// Searches backward for the clause and the call that contain the place.
    fn look_back(&mut self, before: &[&Piece]) {
        let mut depth = 0_usize;
        let mut clause_found = false;
        for (index, piece) in before.iter().enumerate().rev() {
            match &piece.token {
                Token::RParen => depth += 1,
                Token::LParen if depth > 0 => depth -= 1,
                Token::LParen => {
                    self.function = index.checked_sub(1).and_then(|function| before[function].name());
                    return;
                }
                Token::RArrow if depth == 0 => {
                    self.given
                        .extend(index.checked_sub(1).and_then(|name| before[name].name()));
                }
                Token::Word(_) if depth == 0 && !clause_found => {
                    let last = index + 1 == before.len();
                    let after_comma = before.last().is_some_and(|last| last.token == Token::Comma);
                    let is = |words: &[&str]| words.iter().any(|word| piece.is_word(word));
                    if last && is(&["from", "join", "into", "describe", "table"]) || after_comma && is(&["from"]) {
                        self.wants_table = true;
                    }
                    clause_found = is(&CLAUSES);
                }
                _ => {}
            }
        }
    }
}

const CLAUSES: [&str; 9] = [
    "select", "from", "where", "on", "by", "having", "qualify", "limit", "using",
];

/// `layer.table`, `layer.table alias`, `layer.table as alias`, anywhere in the statement.
fn relations<'a>(pieces: &[&Piece], known: &'a KnownNames) -> Vec<(&'a Relation, Option<String>)> {
    let mut found = vec![];
    for (index, window) in pieces.windows(3).enumerate() {
        let [layer, dot, table] = window else { continue };
        let (Some(layer), Token::Period, Some(table)) = (layer.name(), &dot.token, table.name()) else {
            continue;
        };
        let Some(relation) = known.relation(&format!("{layer}.{table}")) else {
            continue;
        };
        let mut rest = pieces[index + 3..].iter();
        let alias = match rest.next() {
            Some(word) if word.is_word("as") => rest.next().and_then(|word| word.name()),
            Some(word) => alias(word),
            None => None,
        };
        found.push((relation, alias));
    }
    found
}

/// A word that may be an alias without `as`.
fn alias(piece: &Piece) -> Option<String> {
    match &piece.token {
        Token::Word(word) if !RESERVED_FOR_TABLE_ALIAS.contains(&word.keyword) => piece.name(),
        _ => None,
    }
}

/// `NAME as (`
fn ctes(pieces: &[&Piece]) -> Vec<String> {
    let named = pieces.windows(3).filter_map(|window| match window {
        [name, with, open] if with.is_word("as") && open.token == Token::LParen => name.name(),
        _ => None,
    });
    named.collect()
}
