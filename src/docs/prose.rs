//! Splits a comment into text and `code`, as its backticks say.

/// A part of a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part<'a> {
    Text(&'a str),
    /// Text between backticks.
    Code(&'a str),
}

/// Splits a comment into text and code. A backtick without a partner is text.
pub(super) fn parts(comment: &str) -> Vec<Part<'_>> {
    let mut parts = vec![];
    let mut rest = comment;
    while let Some((text, after)) = rest.split_once('`')
        && let Some((code, after)) = after.split_once('`')
    {
        parts.extend([Part::Text(text), Part::Code(code)]);
        rest = after;
    }
    parts.push(Part::Text(rest));
    parts.retain(|part| !matches!(part, Part::Text("") | Part::Code("")));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_stands_between_backticks() {
        use Part::{Code, Text};
        assert_eq!(
            parts("`a_b` is one of `c`, `d"),
            [Code("a_b"), Text(" is one of "), Code("c"), Text(", `d")]
        );
        assert_eq!(parts("no code"), [Text("no code")]);
        assert_eq!(parts(""), []);
        assert_eq!(parts("``"), []);
    }
}
