//! The special characters of a CSV file, as the options name them; no two may be the same.

use super::super::lines::BOM;
use super::super::{FormatOptions, OptionProblem};

/// The special characters of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dialect {
    pub delimiter: u8,
    pub quote: Option<u8>,
    /// A quote inside a quoted field is doubled, or preceded by this.
    pub escape: Option<u8>,
    pub comment: Option<u8>,
}

impl Dialect {
    /// The characters that the options name.
    pub fn new(options: &FormatOptions) -> Result<Self, OptionProblem> {
        let quote = byte("quote", options.quote.as_deref().unwrap_or("\""))?;
        let dialect = Self {
            delimiter: byte("delimiter", options.delimiter.as_deref().unwrap_or(","))?
                .ok_or_else(|| not_one("delimiter", ""))?,
            quote,
            escape: byte("escape", options.escape.as_deref().unwrap_or(""))?.filter(|escape| Some(*escape) != quote),
            comment: byte("comment", options.comment.as_deref().unwrap_or(""))?,
        };
        let named = [
            ("delimiter", Some(dialect.delimiter)),
            ("quote", dialect.quote),
            ("escape", dialect.escape),
            ("comment", dialect.comment),
        ];
        for (place, (option, byte)) in named.into_iter().enumerate() {
            let same = named[..place]
                .iter()
                .find(|(_, other)| byte.is_some() && *other == byte);
            if let Some((other, _)) = same {
                return Err(OptionProblem {
                    option,
                    message: format!("`{other}` and `{option}` are the same character"),
                    help: "choose different ones".to_owned(),
                });
            }
        }
        Ok(dialect)
    }

    /// A row without what precedes it (empty lines, comments, a byte order mark), and without its line break.
    pub fn row<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        let mut row = text;
        loop {
            row = match row {
                [b'\r' | b'\n', rest @ ..] => rest,
                [first, ..] if Some(*first) == self.comment => {
                    let end = memchr::memchr(b'\n', row);
                    &row[end.map_or(row.len(), |end| end + 1)..]
                }
                _ => match row.strip_prefix(BOM) {
                    Some(rest) => rest,
                    None => break,
                },
            };
        }
        let row = row.strip_suffix(b"\n").unwrap_or(row);
        row.strip_suffix(b"\r").unwrap_or(row)
    }
}

/// The one character of an option; `None` for an empty text.
fn byte(option: &'static str, written: &str) -> Result<Option<u8>, OptionProblem> {
    match written.as_bytes() {
        [] => Ok(None),
        b"\\t" => Ok(Some(b'\t')),
        [byte] if byte.is_ascii() && !matches!(byte, b'\r' | b'\n') => Ok(Some(*byte)),
        _ => Err(not_one(option, written)),
    }
}

fn not_one(option: &'static str, written: &str) -> OptionProblem {
    OptionProblem {
        option,
        message: format!("`{option}` is not one ASCII character: `{written}`"),
        help: "for example `;`, `|`, or \"\\t\" for a tab".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialect(delimiter: &str, quote: &str, escape: &str) -> Result<Dialect, OptionProblem> {
        Dialect::new(&FormatOptions {
            delimiter: Some(delimiter.to_owned()),
            quote: Some(quote.to_owned()),
            escape: Some(escape.to_owned()),
            ..FormatOptions::default()
        })
    }

    #[test]
    fn a_character_is_one_and_has_one_meaning() {
        assert_eq!(dialect("\\t", "'", "\\").unwrap().delimiter, b'\t');
        assert_eq!(dialect("\t", "", "").unwrap().quote, None);
        assert_eq!(dialect(",", "\"", "\"").unwrap().escape, None, "quotes are doubled");
        for (delimiter, quote, wrong) in [
            ("", "\"", "delimiter"),
            (";;", "\"", "delimiter"),
            ("ü", "\"", "delimiter"),
            ("\n", "\"", "delimiter"),
            (",", "''", "quote"),
            (",", ",", "quote"),
        ] {
            assert_eq!(
                dialect(delimiter, quote, "").unwrap_err().option,
                wrong,
                "{delimiter}{quote}"
            );
        }
    }

    #[test]
    fn a_row_begins_after_what_precedes_it() {
        let dialect = Dialect::new(&FormatOptions {
            comment: Some("#".to_owned()),
            ..FormatOptions::default()
        });
        let row = |text: &[u8]| dialect.clone().unwrap().row(text).to_vec();
        assert_eq!(row(b"\xef\xbb\xbf# a\n\r\n#b\n1,#2\r\n"), b"1,#2");
        assert_eq!(row(b"1,2"), b"1,2");
        assert_eq!(row(b"# no end"), b"");
    }
}
