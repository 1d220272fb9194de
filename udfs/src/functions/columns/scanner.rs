//! Reads a text from left to right.

/// The text that is left to read.
pub(super) struct Scanner<'t> {
    rest: &'t str,
}

impl<'t> Scanner<'t> {
    pub fn new(text: &'t str) -> Self {
        Self { rest: text }
    }

    pub fn rest(&self) -> &'t str {
        self.rest
    }

    pub fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// Skips a character if it comes next.
    pub fn eat(&mut self, character: char) -> bool {
        match self.rest.strip_prefix(character) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Skips a keyword, in upper or lower case, if it comes next.
    pub fn eat_keyword(&mut self, keyword: &str) -> bool {
        let mut ahead = Scanner { rest: self.rest };
        let found = ahead.word().eq_ignore_ascii_case(keyword);
        if found {
            self.rest = ahead.rest;
        }
        found
    }

    /// The characters up to a space, a bracket, a comma or a quote; empty if one of them comes next.
    pub fn word(&mut self) -> &'t str {
        self.until(is_mark)
    }

    /// The same, but it also ends at a dot.
    pub fn name(&mut self) -> &'t str {
        self.until(|character| character == '.' || is_mark(character))
    }

    pub fn is_at_quote(&self) -> bool {
        self.rest.starts_with(['\'', '"'])
    }

    /// What is between the quotes that come next, single or double; a doubled quote stands for itself. `None` if the
    /// second quote is missing.
    pub fn quoted(&mut self) -> Option<String> {
        let quote = self.rest.chars().next()?;
        let mut content = String::new();
        let mut left = self.rest.get(quote.len_utf8()..)?;
        loop {
            let (before, after) = left.split_once(quote)?;
            content.push_str(before);
            match after.strip_prefix(quote) {
                Some(after) => {
                    content.push(quote);
                    left = after;
                }
                None => {
                    self.rest = after;
                    return Some(content);
                }
            }
        }
    }

    fn until(&mut self, is_end: impl Fn(char) -> bool) -> &'t str {
        let end = self.rest.find(is_end).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }
}

fn is_mark(character: char) -> bool {
    character.is_whitespace() || matches!(character, ',' | '(' | ')' | '[' | ']' | '\'' | '"')
}
