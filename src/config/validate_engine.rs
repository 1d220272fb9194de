use std::num::NonZeroUsize;

use serde_yaml::Spanned;

use super::EngineConfig;
use super::raw::RawEngine;
use super::validate::Validator;

impl Validator<'_> {
    /// Where steps run.
    pub(super) fn engine(&mut self, raw: Option<&Spanned<RawEngine>>) -> EngineConfig {
        let Some(raw) = raw else { return EngineConfig::Local };
        let (text, partitions) = match &raw.value {
            RawEngine::Name(name) => (self.text(name), None),
            RawEngine::Cluster(cluster) => (self.text(&cluster.ballista), cluster.partitions),
        };
        let Some(text) = text else { return EngineConfig::Local };
        match text.parse::<EngineConfig>() {
            Ok(engine) => {
                if partitions == Some(0) {
                    self.problem(raw.referenced, "`partitions` must be at least 1", None);
                }
                engine.with_partitions(partitions.and_then(|number| NonZeroUsize::new(number.into())))
            }
            Err(error) => {
                self.problem(raw.referenced, error.to_string(), None);
                EngineConfig::Local
            }
        }
    }
}
