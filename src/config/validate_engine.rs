//! Validates `engine`: `local`, or the scheduler and partitions of a cluster; a malformed one is refused with its line.

use std::num::NonZeroUsize;

use serde_yaml::Spanned;

use super::BackendConfig;
use super::raw::RawEngine;
use super::validate::Validator;

impl Validator<'_> {
    /// Where steps run.
    pub(super) fn engine(&mut self, raw: Option<&Spanned<RawEngine>>) -> BackendConfig {
        let Some(raw) = raw else { return BackendConfig::Local };
        let (text, partitions) = match &raw.value {
            RawEngine::Name(name) => (self.text(name), None),
            RawEngine::Cluster(cluster) => (self.text(&cluster.ballista), cluster.partitions),
        };
        let Some(text) = text else { return BackendConfig::Local };
        match text.parse::<BackendConfig>() {
            Ok(engine) => {
                if partitions == Some(0) {
                    self.problem(raw.referenced, "`partitions` must be at least 1", None);
                }
                engine.with_partitions(partitions.and_then(|number| NonZeroUsize::new(number.into())))
            }
            Err(error) => {
                self.problem(raw.referenced, error.to_string(), None);
                BackendConfig::Local
            }
        }
    }
}
