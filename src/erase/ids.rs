//! The ids of whom to erase, as they are given: by options, or in a file with one user id a line, or with lines of
//! `kind,id`.

use std::collections::BTreeSet;

use super::ErasureError;

/// The first line of a file that says of each id what it is.
const HEADER: &str = "kind,id";

/// Whose rows to erase.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ids {
    /// Users. What is known of them includes their sessions.
    pub users: BTreeSet<String>,
    /// Sessions, whoever they belong to.
    pub sessions: BTreeSet<String>,
}

impl Ids {
    /// The ids of options.
    pub fn new(users: &[String], sessions: &[String]) -> Self {
        let ids = |given: &[String]| {
            let given = given.iter().map(|id| id.trim().to_owned());
            given.filter(|id| !id.is_empty()).collect()
        };
        Self {
            users: ids(users),
            sessions: ids(sessions),
        }
    }

    /// Adds the ids of a file.
    ///
    /// # Errors
    /// When a line is not what the first one promises; names the line.
    pub fn add_file(&mut self, file: &str, text: &str) -> Result<(), ErasureError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut lines = text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line.trim()))
            .filter(|(_, line)| !line.is_empty())
            .peekable();
        let has_kinds = lines.next_if(|(_, line)| line.eq_ignore_ascii_case(HEADER)).is_some();
        for (line, text) in lines {
            let wrong = |reason: String| ErasureError::Line {
                file: file.to_owned(),
                line,
                reason,
            };
            if !has_kinds {
                self.users.insert(text.to_owned());
                continue;
            }
            let (kind, id) = text.split_once(',').ok_or_else(|| wrong("has no comma".to_owned()))?;
            let id = unquoted(id.trim());
            if id.is_empty() {
                return Err(wrong("has no id".to_owned()));
            }
            match unquoted(kind.trim()).as_str() {
                "user" => self.users.insert(id),
                "session" => self.sessions.insert(id),
                other => return Err(wrong(format!("names the kind `{other}`, not `user` or `session`"))),
            };
        }
        Ok(())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && self.sessions.is_empty()
    }
}

/// A field of CSV without its quotes.
fn unquoted(field: &str) -> String {
    let inner = field.strip_prefix('"').and_then(|field| field.strip_suffix('"'));
    inner.map_or_else(|| field.to_owned(), |inner| inner.replace("\"\"", "\""))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn set(ids: &[&str]) -> BTreeSet<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    #[test]
    fn a_plain_file_holds_users() {
        let mut ids = Ids::new(&["u1".to_owned(), " ".to_owned()], &[]);
        ids.add_file("ids", "\u{feff}u2\r\n\n  u3,x \n").unwrap();
        assert_eq!(ids.users, set(&["u1", "u2", "u3,x"]));
        assert!(ids.sessions.is_empty());
    }

    #[test]
    fn a_file_with_kinds_holds_both() {
        let mut ids = Ids::default();
        ids.add_file("ids", "Kind,ID\nuser,u1\nsession,\"s\"\"1,2\"\n").unwrap();
        assert_eq!((ids.users, ids.sessions), (set(&["u1"]), set(&["s\"1,2"])));
    }

    #[test]
    fn a_wrong_line_is_named() {
        for (text, expected) in [
            ("kind,id\n\nuser", "line 3 of ids has no comma"),
            ("kind,id\nuser,", "line 2 of ids has no id"),
            ("kind,id\nitem,a", "line 2 of ids names the kind `item`"),
        ] {
            let error = Ids::default().add_file("ids", text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
