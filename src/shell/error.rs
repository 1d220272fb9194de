//! Why a statement or a command failed, with the line in its script and a way out: after an unknown column, the columns
//! that there are. The table that a mistyped one was meant to be is suggested in `query`.

use std::error::Error;
use std::{fmt, io};

use datafusion::error::DataFusionError;

use crate::lake::LakeError;
use crate::pipeline::PipelineError;

/// Why a statement or a command failed.
#[derive(Debug, thiserror::Error)]
pub enum ShellError {
    /// A statement or command in a script failed.
    #[error("{script}:{line}: {source}")]
    InScript {
        /// The file, `-c`, or `stdin`.
        script: String,
        /// From 1.
        line: usize,
        /// What went wrong.
        #[source]
        source: Box<ShellError>,
    },
    /// A backslash command with wrong arguments, or one that failed.
    #[error("{0}")]
    Command(String),
    /// The session may not do this.
    #[error("{0}")]
    Refused(String),
    /// SQL that does not plan or run.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The lake or the project refused something.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// The lake refused something.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// A file or the terminal.
    #[error("{what}: {source}")]
    Io {
        /// What failed.
        what: String,
        /// The system's error.
        #[source]
        source: io::Error,
    },
}

impl From<DataFusionError> for ShellError {
    fn from(error: DataFusionError) -> Self {
        Self::Query(QueryError {
            source: Box::new(error),
            help: None,
        })
    }
}

impl From<arrow::error::ArrowError> for ShellError {
    fn from(error: arrow::error::ArrowError) -> Self {
        Self::from(DataFusionError::from(error))
    }
}

impl From<io::Error> for ShellError {
    fn from(source: io::Error) -> Self {
        Self::Io {
            what: "cannot print".to_owned(),
            source,
        }
    }
}

impl ShellError {
    /// A file that cannot be read or written.
    pub(super) fn file(verb: &str, file: &str, source: io::Error) -> Self {
        Self::Io {
            what: format!("cannot {verb} {file}"),
            source,
        }
    }

    /// The line of the statement in which the SQL is wrong, from 1, if known.
    pub(super) fn line(&self) -> Option<usize> {
        let Self::Query(QueryError { source: error, .. }) = self else {
            return None;
        };
        let of_diagnostic = error
            .diagnostic()
            .and_then(|diagnostic| diagnostic.span)
            .map(|span| span.start.line);
        let line = of_diagnostic.or_else(|| {
            let text = error.to_string();
            let digits = text.split("at Line: ").nth(1)?.split(',').next()?;
            digits.parse().ok()
        });
        line.and_then(|line| usize::try_from(line).ok())
            .filter(|line| *line > 0)
    }
}

/// DataFusion's message without its internal prefixes, and the way out.
#[derive(Debug)]
pub struct QueryError {
    pub(super) source: Box<DataFusionError>,
    pub(super) help: Option<String>,
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = plain(&self.source.strip_backtrace());
        match (self.help.as_deref(), without_qualifiers(&text)) {
            (Some(help), _) => write!(f, "{text}\n  help: {help}"),
            (None, Some((message, columns))) => write!(f, "{message}\n  help: the columns are {columns}"),
            (None, None) => f.write_str(&text),
        }
    }
}

impl Error for QueryError {
    /// The causes of an error that is displayed already.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let mut error = self.source.as_ref();
        while let DataFusionError::Diagnostic(_, inner) = error {
            error = inner;
        }
        error.source()
    }
}

fn plain(text: &str) -> String {
    let kinds = [
        "SQL error: ",
        "Error during planning: ",
        "Schema error: ",
        "Execution error: ",
        "External error: ",
    ];
    let text = kinds.iter().find_map(|kind| text.strip_prefix(kind)).unwrap_or(text);
    let of_parser = ["ParserError(\"", "TokenizerError(\""].iter().find_map(|kind| {
        let message = text.strip_prefix(kind)?.strip_suffix("\")")?;
        Some(message.replace("\\\"", "\""))
    });
    let text = of_parser.unwrap_or_else(|| text.to_owned());
    // The line is reported with the script.
    match text.split_once(" at Line: ") {
        Some((message, _)) => message.to_owned(),
        None => text,
    }
}

/// `No field named x.\nValid fields are silver.events.a, silver.events.b.`
fn without_qualifiers(text: &str) -> Option<(&str, String)> {
    let (message, fields) = text.split_once("\nValid fields are ")?;
    let fields = fields.trim_end_matches('.').split(", ");
    let names: Vec<&str> = fields.map(|field| field.rsplit('.').next().unwrap_or(field)).collect();
    Some((message.trim_end_matches('.'), names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_what_is_wrong_and_nothing_of_where_they_come_from() {
        for (text, expected) in [
            ("Error during planning: table 'x' not found", "table 'x' not found"),
            (
                "SQL error: ParserError(\"Expected: an expression, found: where at Line: 2, Column: 3\")",
                "Expected: an expression, found: where",
            ),
            (
                "SQL error: TokenizerError(\"Unterminated string literal at Line: 1, Column: 8\")",
                "Unterminated string literal",
            ),
        ] {
            assert_eq!(plain(text), expected);
        }
        let text = "No field named x.\nValid fields are silver.events.a, silver.events.\"B\".";
        assert_eq!(
            without_qualifiers(text),
            Some(("No field named x", "a, \"B\"".to_owned()))
        );
    }
}
