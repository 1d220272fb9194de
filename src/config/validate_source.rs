//! Validates a source: a malformed name, or other than one kind, is refused with its line; the kind's own settings then
//! validate themselves (`sources/files/settings.rs`, `sources/kafka/settings.rs`).

use std::sync::Arc;

use serde_yaml::Spanned;

use super::table_name::is_identifier;
use super::validate::Validator;
use crate::sources::{RawSource, SourceConfig};

impl Validator<'_> {
    pub(super) fn source(&mut self, name: &str, source: &Spanned<RawSource>) -> Option<Arc<dyn SourceConfig>> {
        if !is_identifier(name) {
            let message =
                format!("the source name `{name}` must consist of lower-case letters, digits and underscores");
            self.problem(source.referenced, message, None);
        }
        match source.value.settings() {
            Ok(settings) => settings.validate(&mut self.values),
            Err(kinds) => {
                self.problem(source.referenced, format!("source `{name}` needs either {kinds}"), None);
                None
            }
        }
    }
}
