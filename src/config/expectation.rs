//! An expectation (`expect`), validated: its query, and its severity (`fail`, `quarantine`, `warn`).
//! `validate_expectation` makes it; `pipeline/step/expectations.rs` runs it.

use std::fmt;
use std::path::PathBuf;

/// A condition on all rows that a step writes, defined by a query for the rows that violate it.
#[derive(Debug, Clone)]
pub struct Expectation {
    /// Its name in messages: `not_null item_id`, or the file.
    pub name: String,
    /// What happens when rows violate it.
    pub severity: Severity,
    /// A query for the violating rows. In it, the name of the step's own table refers to the rows about to be written.
    pub sql: String,
    /// The file of the query; `None` if it was generated from the configuration.
    pub file: Option<PathBuf>,
    /// Its line in the configuration, from 1.
    pub line: u64,
}

/// What happens when rows violate an expectation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// They are counted, reported, and written.
    Warn,
    /// They are written to `system.quarantine` instead.
    Quarantine,
    /// The step fails and writes nothing.
    #[default]
    Fail,
}

impl Severity {
    /// All severities, by their names in the file.
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
