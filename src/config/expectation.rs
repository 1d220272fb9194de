use std::fmt;
use std::path::PathBuf;

/// Something that holds for all rows that a step writes, told by a query for the rows of which it does not.
#[derive(Debug, Clone)]
pub struct Expectation {
    /// How messages call it: `not_null item_id`, or the file.
    pub name: String,
    /// What follows where rows do not meet it.
    pub severity: Severity,
    /// A query for the rows that do not. The name of the step's own table stands for the rows that are about to be
    /// written.
    pub sql: String,
    /// Where the query is from; `None` where the configuration says it.
    pub file: Option<PathBuf>,
    /// Where it is in the configuration, from 1.
    pub line: u64,
}

/// What follows where rows do not meet an expectation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// They are counted and told, and written.
    Warn,
    /// They go to `system.quarantine` instead.
    Quarantine,
    /// The step fails, and writes nothing.
    #[default]
    Fail,
}

impl Severity {
    /// All of them, by the name they have in the file.
    pub(super) const ALL: [(&'static str, Self); 3] = [
        ("warn", Self::Warn),
        ("quarantine", Self::Quarantine),
        ("fail", Self::Fail),
    ];
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warn => "warn",
            Self::Quarantine => "quarantine",
            Self::Fail => "fail",
        })
    }
}
