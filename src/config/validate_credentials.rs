//! Refuses credentials that are written out in the file, in any target, even one that is not in use: they belong in
//! variables. Which settings are credentials is `settings/credential.rs` and the sources' own settings.

use super::raw::RawProject;
use super::validate::Validator;
use crate::settings::{is_credential, is_literal};

impl Validator<'_> {
    /// Rejects credentials written in the file, in any target, where everyone with access to the project would see
    /// them.
    pub(super) fn refuse_literals(&mut self, raw: &RawProject) {
        let stores =
            std::iter::once(&raw.storage).chain(raw.targets.values().filter_map(|target| target.storage.as_ref()));
        let settings = stores.flatten().filter(|(name, _)| is_credential(name));
        let sources = raw
            .sources
            .values()
            .chain(raw.targets.values().flat_map(|target| target.sources.values()));
        let all = settings
            .map(|(name, text)| (name.as_str(), text))
            .chain(sources.flat_map(|source| source.value.credentials()));
        for (name, text) in all.filter(|(_, text)| is_literal(&text.value)) {
            let variable = name.to_ascii_uppercase();
            let help = format!("rotate this secret, and replace it in the file: {name}: \"${{{variable}}}\"");
            self.problem(
                text.referenced,
                format!("the file contains the secret `{name}`"),
                Some(help),
            );
        }
    }
}
