//! What a source may say about its format, beyond the name: the options, and what is wrong with them.

use serde::{Deserialize, Serialize};

/// What `pipelines.yaml` says about the layout of a source's files, beyond the name of the format. Only some formats
/// have such options; `None` is the default of the format.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormatOptions {
    /// Whether a file begins with a header that names the columns.
    pub header: Option<bool>,
    /// The names of the columns of files without a header.
    pub columns: Option<Vec<String>>,
    /// What separates two fields.
    pub delimiter: Option<String>,
    /// What encloses a field that contains special characters.
    pub quote: Option<String>,
    /// What precedes a quote inside a quoted field.
    pub escape: Option<String>,
    /// The texts that stand for a missing value.
    pub nulls: Option<Vec<String>>,
    /// What lines that are skipped begin with.
    pub comment: Option<String>,
}

impl FormatOptions {
    /// The first option that is given.
    pub fn given(&self) -> Option<&'static str> {
        let given = [
            ("header", self.header.is_some()),
            ("columns", self.columns.is_some()),
            ("delimiter", self.delimiter.is_some()),
            ("quote", self.quote.is_some()),
            ("escape", self.escape.is_some()),
            ("nulls", self.nulls.is_some()),
            ("comment", self.comment.is_some()),
        ];
        given.iter().find(|(_, is_given)| *is_given).map(|(name, _)| *name)
    }
}

/// What is wrong with an option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionProblem {
    /// Its key.
    pub option: &'static str,
    /// What is wrong.
    pub message: String,
    /// How to fix it.
    pub help: String,
}
