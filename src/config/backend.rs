//! `engine`: where steps run, in this process or on a cluster (`df://HOST:PORT`), as written in the file or after
//! `--engine`.

use std::num::NonZeroUsize;
use std::str::FromStr;

/// Where the steps of a project run: `engine` in pipelines.yaml, or `--engine`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum BackendConfig {
    /// In this process.
    #[default]
    Local,
    /// On a cluster.
    Ballista {
        /// Its scheduler, `host:port`.
        scheduler: String,
        /// The number of partitions that work is split into.
        partitions: NonZeroUsize,
    },
}

/// The default number of partitions on a cluster.
const PARTITIONS: NonZeroUsize = NonZeroUsize::new(16).unwrap();

/// The text does not name an engine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not an engine: write `local`, or a cluster's scheduler as df://HOST:PORT", without_user(.0))]
pub struct NotAnEngine(String);

/// Removes user information from the text.
fn without_user(text: &str) -> &str {
    text.rsplit_once('@').map_or(text, |(_, rest)| rest)
}

impl BackendConfig {
    /// The same engine with this many partitions.
    #[must_use]
    pub fn with_partitions(self, number: Option<NonZeroUsize>) -> Self {
        match (self, number) {
            (Self::Ballista { scheduler, .. }, Some(partitions)) => Self::Ballista { scheduler, partitions },
            (engine, _) => engine,
        }
    }
}

impl FromStr for BackendConfig {
    type Err = NotAnEngine;

    fn from_str(text: &str) -> Result<Self, NotAnEngine> {
        let not = || NotAnEngine(text.to_owned());
        if text == "local" {
            return Ok(Self::Local);
        }
        let scheduler = text.strip_prefix("df://").ok_or_else(not)?.trim_end_matches('/');
        let port = scheduler.rsplit_once(':').and_then(|(host, port)| {
            let port: u16 = port.parse().ok()?;
            // User names are not supported, so there are no passwords.
            (!host.is_empty() && !host.contains('@')).then_some(port)
        });
        port.ok_or_else(not)?;
        Ok(Self::Ballista {
            scheduler: scheduler.to_owned(),
            partitions: PARTITIONS,
        })
    }
}
