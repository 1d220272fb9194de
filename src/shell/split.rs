//! Splits a script into statements and backslash commands, each with its line.

use datafusion::sql::sqlparser::tokenizer::Token;

use super::tokens::tokens;

/// A statement or a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    /// Without its semicolon.
    Statement(String),
    /// A line from its backslash on.
    Command(String),
}

/// An item and the line where it begins, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placed {
    pub item: Item,
    pub line: usize,
}

/// The content of a text.
#[derive(Debug, Default)]
pub(super) struct Script {
    pub items: Vec<Placed>,
    /// The last statement has no semicolon yet.
    pub open: bool,
}

/// Splits a text at its semicolons. A backslash begins a command, which extends to the end of its line and ends the
/// statement before it.
pub(super) fn split(text: &str) -> Script {
    let mut script = Script::default();
    let mut from = 0;
    while from < text.len() {
        from = take(text, from, &mut script);
    }
    script
}

/// Whether the input is complete.
pub(super) fn is_complete(text: &str) -> bool {
    let script = split(text);
    match script.items.as_slice() {
        [only] if is_farewell(&only.item) => true,
        _ => !script.open,
    }
}

/// `exit` and `quit`, as in many shells.
pub(super) fn is_farewell(item: &Item) -> bool {
    matches!(item, Item::Statement(word) if ["exit", "quit"].contains(&word.trim().to_lowercase().as_str()))
}

/// Takes the items up to the first command, or all; returns the offset after them.
fn take(text: &str, from: usize, script: &mut Script) -> usize {
    let rest = &text[from..];
    let mut begun = None;
    let tokens = tokens(rest);
    let mut push = |item: Item, at: usize| {
        let line = 1 + text[..from + at].matches('\n').count();
        script.items.push(Placed { item, line });
    };
    for piece in &tokens.pieces {
        let start = piece.range.start;
        match piece.token {
            Token::SemiColon => {
                if let Some(begin) = begun.take() {
                    push(Item::Statement(rest[begin..start].trim_end().to_owned()), begin);
                }
            }
            Token::Backslash => {
                if let Some(begin) = begun.take() {
                    push(Item::Statement(rest[begin..start].trim_end().to_owned()), begin);
                }
                let line_end = rest[start..].find('\n').map_or(rest.len(), |length| start + length);
                push(Item::Command(rest[start..line_end].trim_end().to_owned()), start);
                return from + line_end;
            }
            _ if piece.is_blank() => {}
            _ => _ = begun.get_or_insert(start),
        }
    }
    if let Some(begin) = begun.or(tokens.open) {
        push(Item::Statement(rest[begin..].trim_end().to_owned()), begin);
        script.open = true;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let of = |placed: Placed| match placed.item {
            Item::Statement(sql) => format!("{} sql {sql}", placed.line),
            Item::Command(line) => format!("{} cmd {line}", placed.line),
        };
        split(text).items.into_iter().map(of).collect()
    }

    #[test]
    fn semicolons_in_texts_and_comments_end_nothing() {
        let text = "-- one; two\nselect ';', \"a;b\" /* ; */;\n\nselect 2\n  + 3;; ;\nselect 4";
        let expected = [
            "2 sql select ';', \"a;b\" /* ; */",
            "4 sql select 2\n  + 3",
            "6 sql select 4",
        ];
        assert_eq!(shown(text), expected);
        assert!(split(text).open);
    }

    #[test]
    fn commands_stand_between_statements_and_may_hold_quotes() {
        let text = "\\timing\nselect 1;\n\\o it's.csv\nselect '\\d' \\watch 2\n  \\x\n";
        let expected = [
            "1 cmd \\timing",
            "2 sql select 1",
            "3 cmd \\o it's.csv",
            "4 sql select '\\d'",
            "4 cmd \\watch 2",
            "5 cmd \\x",
        ];
        assert_eq!(shown(text), expected);
        assert!(!split(text).open);
    }

    #[test]
    fn a_statement_is_complete_with_its_semicolon() {
        for text in [
            "select 1;",
            "select ';\n';  -- done",
            "\\dt",
            "  ",
            "-- only a comment",
            "exit",
            "QUIT",
            "select 1 \\x",
        ] {
            assert!(is_complete(text), "{text}");
        }
        for text in [
            "select 1",
            "select ';",
            "select 1; select 2",
            "/* open ;",
            "select 1 -- ;",
            "exit the shop",
        ] {
            assert!(!is_complete(text), "{text}");
        }
    }
}
