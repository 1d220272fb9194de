//! The settings of files: as written, and validated.

use std::any::Any;
use std::path::PathBuf;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_yaml::{Location, Spanned};

use crate::settings::{Text, Values};
use crate::sources::formats::{Format, FormatOptions, Layout, default_format, format, format_names};
use crate::sources::{RawSettings, SourceConfig};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawFiles {
    /// A file, a folder, or a pattern like `data/*.json`.
    #[schemars(with = "String")]
    pub path: Text,
    /// How records are laid out in a file; `ndjson` by default.
    #[schemars(with = "Option<String>", extend("enum" = names_or_null()))]
    pub format: Option<Text>,
    /// Whether only what is new in files is read (`append`, the default), or all files whenever they change (`snapshot`).
    #[schemars(with = "Option<String>", extend("enum" = MODES_OR_NULL))]
    pub mode: Option<Text>,
    /// Whether files may grow, so that clickrec waits for the rest of an unterminated last record; true by default.
    #[schemars(with = "Option<bool>")]
    pub growing: Option<Spanned<bool>>,
    /// `csv`: whether a file begins with a header that names the columns; true by default.
    #[schemars(with = "Option<bool>")]
    pub header: Option<Spanned<bool>>,
    /// `csv`: the names of the columns of files without a header.
    #[schemars(with = "Option<Vec<String>>")]
    pub columns: Option<Spanned<Vec<Text>>>,
    /// `csv`: the character between two fields; a comma by default.
    #[schemars(with = "Option<String>")]
    pub delimiter: Option<Text>,
    /// `csv`: the character around a field with special characters; a double quote by default, none if empty.
    #[schemars(with = "Option<String>")]
    pub quote: Option<Text>,
    /// `csv`: the character before a quote in a quoted field; by default, the quote is doubled.
    #[schemars(with = "Option<String>")]
    pub escape: Option<Text>,
    /// `csv`: the strings that stand for a missing value; the empty one by default.
    #[schemars(with = "Option<Vec<String>>")]
    pub nulls: Option<Spanned<Vec<Text>>>,
    /// `csv`: the first character of lines that are skipped; none by default.
    #[schemars(with = "Option<String>")]
    pub comment: Option<Text>,
}

const APPEND: &str = "append";
const SNAPSHOT: &str = "snapshot";
const MODES_OR_NULL: [Option<&str>; 3] = [Some(APPEND), Some(SNAPSHOT), None];

fn names_or_null() -> Vec<Option<&'static str>> {
    format_names().into_iter().map(Some).chain([None]).collect()
}

/// Files of records.
#[derive(Debug, Clone)]
pub struct FilesConfig {
    /// A folder, or a path or URL, possibly with a glob (`sample_data/*.json`). Relative paths have been resolved.
    pub path: String,
    /// The folder of the project file: file names in records are relative to it.
    pub root: PathBuf,
    /// How records are laid out in a file.
    pub format: Arc<dyn Format>,
    /// What the format was made with.
    pub options: FormatOptions,
    /// Whether a file may grow, so that a last record without its end waits for it.
    pub growing: bool,
    /// Whether the files are rewritten as a whole, so that their newest state replaces what was read before.
    pub is_snapshot: bool,
}

impl FilesConfig {
    /// The settings of a files source; `None` for other kinds.
    pub fn of(source: &dyn SourceConfig) -> Option<&Self> {
        (source as &dyn Any).downcast_ref()
    }
}

impl RawSettings for RawFiles {
    fn validate(&self, values: &mut Values) -> Option<Arc<dyn SourceConfig>> {
        let options = self.options(values);
        let format = options.as_ref().and_then(|options| self.format(options, values));
        let path = values.path(&self.path);
        let is_snapshot = self.is_snapshot(values)?;
        Some(Arc::new(FilesConfig {
            path: path?,
            root: values.root().to_owned(),
            format: format?,
            options: options?,
            growing: !is_snapshot && self.growing.as_ref().is_none_or(|growing| growing.value),
            is_snapshot,
        }))
    }

    fn credentials(&self) -> Vec<(&str, &Text)> {
        vec![]
    }
}

impl RawFiles {
    fn format(&self, options: &FormatOptions, values: &mut Values) -> Option<Arc<dyn Format>> {
        let name = match &self.format {
            Some(written) => values.text(written)?,
            None => default_format().to_owned(),
        };
        let Some(made) = format(&name, options) else {
            let names: Vec<String> = format_names().iter().map(|name| format!("`{name}`")).collect();
            let help = format!("the formats are {}", names.join(", "));
            values.problem(self.place("format"), format!("unknown format `{name}`"), Some(help));
            return None;
        };
        match made {
            Ok(format) => {
                self.check_growing(&*format, values);
                Some(format)
            }
            Err(problem) => {
                values.problem(self.place(problem.option), problem.message, Some(problem.help));
                None
            }
        }
    }

    /// Whether the mode is `snapshot`; `None` if that is unknown.
    fn is_snapshot(&self, values: &mut Values) -> Option<bool> {
        let Some(written) = &self.mode else { return Some(false) };
        match &*values.text(written)? {
            APPEND => Some(false),
            SNAPSHOT => {
                if let Some(growing) = self.growing.as_ref().filter(|growing| growing.value) {
                    let message = "the files of a snapshot are written as a whole and never grow";
                    let help = "leave `growing` out".to_owned();
                    values.problem(growing.referenced, message, Some(help));
                }
                Some(true)
            }
            mode => {
                let help = format!("the modes of files are `{APPEND}` and `{SNAPSHOT}`");
                values.problem(written.referenced, format!("unknown mode `{mode}`"), Some(help));
                None
            }
        }
    }

    fn check_growing(&self, format: &dyn Format, values: &mut Values) {
        if let (Some(growing), Layout::Table(_)) = (&self.growing, format.layout()) {
            let message = format!("files of the format `{}` never grow", format.name());
            values.problem(growing.referenced, message, Some("leave `growing` out".to_owned()));
        }
    }

    /// What is written about the format; `None` if a variable in it has no value.
    fn options(&self, values: &mut Values) -> Option<FormatOptions> {
        let mut problems = false;
        let mut text = |text: Option<&Text>| {
            let value = text.map(|text| values.text(text));
            problems |= value == Some(None);
            value.flatten()
        };
        let mut texts = |texts: Option<&Spanned<Vec<Text>>>| -> Option<Vec<String>> {
            texts.map(|texts| texts.value.iter().filter_map(|value| text(Some(value))).collect())
        };
        let (columns, nulls) = (texts(self.columns.as_ref()), texts(self.nulls.as_ref()));
        let options = FormatOptions {
            header: self.header.as_ref().map(|header| header.value),
            columns,
            delimiter: text(self.delimiter.as_ref()),
            quote: text(self.quote.as_ref()),
            escape: text(self.escape.as_ref()),
            nulls,
            comment: text(self.comment.as_ref()),
        };
        (!problems).then_some(options)
    }

    /// Where a key's value is written; the path if the key is not.
    fn place(&self, key: &str) -> Location {
        let of = |text: &Option<Text>| text.as_ref().map(|text| text.referenced);
        let place = match key {
            "format" => of(&self.format),
            "header" => self.header.as_ref().map(|header| header.referenced),
            "columns" => self.columns.as_ref().map(|columns| columns.referenced),
            "delimiter" => of(&self.delimiter),
            "quote" => of(&self.quote),
            "escape" => of(&self.escape),
            "nulls" => self.nulls.as_ref().map(|nulls| nulls.referenced),
            "comment" => of(&self.comment),
            _ => None,
        };
        place.unwrap_or(self.path.referenced)
    }
}
