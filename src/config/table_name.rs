//! The name of a table, `LAYER.TABLE`, both of which SQL accepts without quotes; malformed ones are refused. And the
//! known word that a mistyped one was meant to be.

use std::fmt;
use std::str::FromStr;

/// The name of a lake table: a layer and a table in it, both lower-case identifiers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName {
    /// `bronze`, `silver`, `gold`, or another.
    pub layer: String,
    /// The table in it.
    pub table: String,
}

/// The text is not `layer.table`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not LAYER.TABLE in lower-case letters, digits and underscores (like silver.events)")]
pub struct NotATableName(String);

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.layer, self.table)
    }
}

impl FromStr for TableName {
    type Err = NotATableName;

    fn from_str(text: &str) -> Result<Self, NotATableName> {
        match text.split_once('.') {
            Some((layer, table)) if is_identifier(layer) && is_identifier(table) => Ok(Self {
                layer: layer.to_owned(),
                table: table.to_owned(),
            }),
            _ => Err(NotATableName(text.to_owned())),
        }
    }
}

/// Matches `[a-z_][a-z0-9_]*`, which SQL accepts without quotes.
pub(super) fn is_identifier(text: &str) -> bool {
    let mut letters = text.bytes();
    letters
        .next()
        .is_some_and(|first| first.is_ascii_lowercase() || first == b'_')
        && letters.all(|next| next.is_ascii_lowercase() || next.is_ascii_digit() || next == b'_')
}

/// The similarity, 0 to 1, above which a word is considered a typo of another.
const ALIKE: f64 = 0.75;

/// The known word that `word` was probably meant to be.
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|known| (strsim::jaro_winkler(known, word), known))
        .filter(|(alike, _)| *alike > ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}
