//! The format `csv`: rows of fields with a separator between them.
//!
//! - `dialect`: the special characters, from the options.
//! - `row_ends`: where rows end, in chunks of a text; `row_counter`: counts them, and checks the header.
//! - `header`: the names of the columns; `fields`: splits a row; `objects`: makes a JSON object of it.
//! - `guess`: what the options of a file may be.

mod dialect;
mod fields;
mod guess;
mod header;
mod objects;
mod row_counter;
mod row_ends;
#[cfg(test)]
mod tests;

use super::records::RecordSplitter;
use super::{Counter, Ends, Format, FormatOptions, Layout, OptionProblem, Splitter, Start, TextFormat};
use crate::plural::counted;
use dialect::Dialect;
pub(super) use guess::guess;
use objects::Objects;
use row_counter::RowCounter;
use row_ends::RowEnds;

/// CSV and its relatives. A record is a JSON object of texts: the types are the business of SQL.
#[derive(Debug)]
pub(super) struct Csv {
    dialect: Dialect,
    /// The names of the columns; `None` if each file has a header.
    columns: Option<Vec<String>>,
    nulls: Vec<String>,
}

impl Csv {
    /// With these options.
    ///
    /// # Errors
    /// When an option is wrong, or contradicts another.
    pub fn new(options: &FormatOptions) -> Result<Self, OptionProblem> {
        Ok(Self {
            dialect: Dialect::new(options)?,
            columns: columns(options)?,
            nulls: options.nulls.clone().unwrap_or_else(|| vec![String::new()]),
        })
    }
}

fn columns(options: &FormatOptions) -> Result<Option<Vec<String>>, OptionProblem> {
    let problem = |option, message: String, help: &str| {
        let help = help.to_owned();
        Err(OptionProblem { option, message, help })
    };
    match (&options.columns, options.header.unwrap_or(true)) {
        (None, true) => Ok(None),
        (None, false) => problem(
            "header",
            "files without a header need names for their columns".to_owned(),
            "add `columns: [session_id, item_id, …]`",
        ),
        (Some(_), true) => problem(
            "columns",
            "`columns` names the columns of files without a header".to_owned(),
            "add `header: false`, or leave `columns` out",
        ),
        (Some(names), false) => {
            let twice = names
                .iter()
                .enumerate()
                .find(|(place, name)| names[..*place].contains(name));
            match twice {
                Some((_, name)) => problem("columns", format!("two columns are named `{name}`"), "rename one"),
                None if names.is_empty() => problem("columns", "there are no columns".to_owned(), "name them all"),
                None => Ok(Some(names.clone())),
            }
        }
    }
}

impl Format for Csv {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn endings(&self) -> &'static [&'static str] {
        &[".csv", ".tsv"]
    }

    fn layout(&self) -> Layout<'_> {
        Layout::Text(self)
    }
}

impl TextFormat for Csv {
    fn ends(&self) -> Box<dyn Ends> {
        Box::new(RowEnds::new(self.dialect))
    }

    /// Empty lines and comments are; a last row may go on.
    fn is_complete(&self, rest: &[u8]) -> bool {
        let mut ends = RowEnds::new(self.dialect);
        ends.next_end(rest).is_none() && ends.is_between()
    }

    fn unfinished(&self, place: &str, bytes: u64) -> String {
        format!(
            "the last row of {place} ({}) has no line break, or has an unclosed quote: it is not read, because it \
             may be incomplete; complete it, or set `growing: false` if files do not grow",
            counted(bytes, "byte", "bytes")
        )
    }

    fn counter(&self, start: Start) -> Box<dyn Counter> {
        let has_header = self.has_head() && start.at == 0;
        Box::new(RowCounter::new(self.dialect, start.at, has_header))
    }

    fn has_head(&self) -> bool {
        self.columns.is_none()
    }

    fn splitter(&self, head: &[u8]) -> Box<dyn Splitter> {
        let columns = match &self.columns {
            Some(columns) => columns.clone(),
            // The header was checked when the rows were counted.
            None => header::names(self.dialect, head).unwrap_or_default(),
        };
        let objects = Objects::new(self.dialect, &columns, &self.nulls);
        Box::new(RecordSplitter::new(RowEnds::new(self.dialect), objects))
    }
}
