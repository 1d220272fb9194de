//! The comments of an SQL file: those at the top describe the table, and those next to the columns of the final select
//! describe the columns. A comment that begins with a row of dashes (`---------- ids`) is a heading for the columns
//! after it.

use std::collections::BTreeMap;

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, Whitespace};

/// The dashes of a heading, after those of the comment.
const HEADING: &str = "------";

/// What a file says about its table.
#[derive(Debug, Default)]
pub(super) struct Comments {
    /// The comment at the top, without the table's name.
    pub table: String,
    /// By column: heading and comment.
    pub columns: BTreeMap<String, Described>,
}

/// What a file says about a column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Described {
    pub heading: Option<String>,
    pub text: Option<String>,
}

/// Reads the comments of a statement.
pub(super) fn comments(sql: &str) -> Comments {
    let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location();
    Comments {
        table: head(sql),
        columns: columns(&tokens.unwrap_or_default()),
    }
}

/// The lines before the statement, without a leading `NAME:` or `NAME (view):`.
fn head(sql: &str) -> String {
    let lines = sql.lines().map(str::trim);
    let lines: Vec<&str> = lines.map_while(|line| line.strip_prefix("--")).map(str::trim).collect();
    let text = lines.join("\n");
    let first = text.split_once(": ");
    let rest = first.filter(|(name, _)| name.contains('.') && name.split(' ').count() <= 2 && !name.contains('\n'));
    rest.map_or(text.as_str(), |(_, rest)| rest).trim().to_owned()
}

/// The columns of the last select that is not in parentheses.
fn columns(tokens: &[TokenWithSpan]) -> BTreeMap<String, Described> {
    let mut depth = 0_i32;
    let mut start = None;
    for (index, token) in tokens.iter().enumerate() {
        depth += nesting(&token.token);
        if depth == 0 && is_keyword(&token.token, Keyword::SELECT) {
            start = Some(index + 1);
        }
    }
    let mut reader = Reader::default();
    for token in tokens.iter().skip(start.unwrap_or(tokens.len())) {
        if reader.depth == 0 && is_keyword(&token.token, Keyword::FROM) {
            break;
        }
        reader.token(token);
    }
    reader.end_column();
    reader.columns
}

fn nesting(token: &Token) -> i32 {
    match token {
        Token::LParen | Token::LBracket | Token::LBrace => 1,
        Token::RParen | Token::RBracket | Token::RBrace => -1,
        _ => 0,
    }
}

fn is_keyword(token: &Token, keyword: Keyword) -> bool {
    matches!(token, Token::Word(word) if word.keyword == keyword && word.quote_style.is_none())
}

#[derive(Default)]
struct Reader {
    columns: BTreeMap<String, Described>,
    depth: i32,
    heading: Option<String>,
    heading_line: u64,
    /// The comments before the next column, or in it.
    comments: Vec<String>,
    /// The column's last token, if it is a word.
    name: Option<String>,
    has_tokens: bool,
    /// The previous column, for a comment after its comma.
    last: Option<String>,
    last_line: u64,
}

impl Reader {
    fn token(&mut self, token: &TokenWithSpan) {
        let line = token.span.start.line;
        match &token.token {
            Token::Whitespace(Whitespace::SingleLineComment { comment, .. }) => self.comment(comment.trim(), line),
            Token::Whitespace(_) => {}
            Token::Comma if self.depth == 0 => {
                self.end_column();
                self.last_line = line;
            }
            other => {
                self.depth += nesting(other);
                self.has_tokens = true;
                self.last_line = token.span.end.line;
                self.name = match other {
                    Token::Word(word) if self.depth == 0 => Some(word.value.clone()),
                    _ => None,
                };
            }
        }
    }

    fn comment(&mut self, text: &str, line: u64) {
        if text.starts_with(HEADING) {
            let text = text.trim_start_matches('-').trim();
            match &mut self.heading {
                // A heading of several lines.
                Some(heading) if self.heading_line + 1 == line => *heading = format!("{heading} {text}"),
                _ => self.heading = Some(text.to_owned()),
            }
            self.heading_line = line;
        } else if !self.has_tokens && self.last_line == line {
            let before = self.last.as_ref().and_then(|name| self.columns.get_mut(name));
            if let Some(before) = before {
                let text = before.text.iter().map(String::as_str).chain([text]);
                before.text = Some(text.collect::<Vec<_>>().join(" "));
            }
        } else {
            self.comments.push(text.to_owned());
        }
    }

    fn end_column(&mut self) {
        let comments = std::mem::take(&mut self.comments).join(" ");
        self.has_tokens = false;
        self.last = self.name.take();
        if let Some(name) = &self.last {
            let described = Described {
                heading: self.heading.clone(),
                text: Some(comments).filter(|text| !text.is_empty()),
            };
            self.columns.insert(name.clone(), described);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQL: &str = "-- gold.x (view): one row per a.
-- Key: a.
with c as (select 1 as a, 2 as hidden -- not of the result
)

select
    ---------- ids
    a,      -- who
    ---------- what: a heading
    ---------- of two lines
    -- how much
    -- of it
    coalesce(b, (select max(x) from y)) as b,
    case when a = 1 then 'one, two' end as kind
from c -- not a column
where true";

    fn described(heading: &str, text: Option<&str>) -> Described {
        Described {
            heading: Some(heading.to_owned()),
            text: text.map(str::to_owned),
        }
    }

    #[test]
    fn the_head_describes_the_table() {
        assert_eq!(comments(SQL).table, "one row per a.\nKey: a.");
        assert_eq!(comments("select 1").table, "");
        assert_eq!(comments("-- Note: no name.\nselect 1").table, "Note: no name.");
    }

    #[test]
    fn comments_beside_columns_describe_them() {
        let found = comments(SQL).columns;
        let two = "what: a heading of two lines";
        assert_eq!(found["a"], described("ids", Some("who")));
        assert_eq!(found["b"], described(two, Some("how much of it")));
        assert_eq!(found["kind"], described(two, None));
        assert_eq!(found.len(), 3);
    }
}
