//! The settings of files: as written, and validated.

use std::any::Any;
use std::path::PathBuf;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::settings::{Text, Values};
use crate::sources::formats::{Format, default_format, format, format_names};
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
}

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
    pub format: &'static dyn Format,
}

impl FilesConfig {
    /// The settings of a files source; `None` for other kinds.
    pub fn of(source: &dyn SourceConfig) -> Option<&Self> {
        (source as &dyn Any).downcast_ref()
    }
}

impl RawSettings for RawFiles {
    fn validate(&self, values: &mut Values) -> Option<Arc<dyn SourceConfig>> {
        let format = self.format(values);
        let path = values.path(&self.path);
        Some(Arc::new(FilesConfig {
            path: path?,
            root: values.root().to_owned(),
            format: format?,
        }))
    }

    fn credentials(&self) -> Vec<(&str, &Text)> {
        vec![]
    }
}

impl RawFiles {
    fn format(&self, values: &mut Values) -> Option<&'static dyn Format> {
        let Some(written) = &self.format else {
            return Some(default_format());
        };
        let name = values.text(written)?;
        let found = format(&name);
        if found.is_none() {
            let names: Vec<String> = format_names().iter().map(|name| format!("`{name}`")).collect();
            let help = format!("the formats are {}, plain or compressed", names.join(", "));
            values.problem(written.referenced, format!("unknown format `{name}`"), Some(help));
        }
        found
    }
}
