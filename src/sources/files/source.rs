use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use url::Url;

use super::FilesConfig;
use super::listing::local;
use super::scan::{LinesScan, Stretch};
use super::state::Known;
use super::waiting::Waiting;
use crate::sources::{Committed, Pending, ReadOptions, Source, SourceError};

/// A run that has reread more than this many bytes only to find nothing new commits what it learned, so that the next
/// run need not reread them.
const READ_AGAIN_MAX: u64 = 64 << 20;

/// Files of records. Places are file names, with the number of the last line read as the position.
/// `FILE#bytes`, `FILE#content` and `FILE#stamp` record what was read: how much, a hash of it, and a hash of the file's
/// metadata at the time.
#[derive(Debug, Clone)]
pub struct FilesSource {
    pub(super) config: FilesConfig,
    /// The path, if it is local.
    pub(super) local: Option<PathBuf>,
    pub(super) is_local: bool,
    pub(super) root: Option<Path>,
    pub(super) store: Arc<dyn ObjectStore>,
    /// Warnings already given, to give each only once however often the files are listed.
    warned: Arc<Mutex<BTreeSet<String>>>,
}

impl FilesSource {
    /// Opens nothing yet. A cloud store is configured from its usual environment variables.
    ///
    /// # Errors
    /// When the path is not a readable path or URL.
    pub fn new(config: FilesConfig) -> Result<Self, SourceError> {
        let unusable = |reason: String| SourceError::Unreachable {
            what: format!("files {}", config.path),
            reason,
            help: "set `path` to a folder, a file, a pattern like data/*.json, or a URL".to_owned(),
        };
        let local = local(&config.path);
        let store: Arc<dyn ObjectStore> = if local.is_some() {
            Arc::new(LocalFileSystem::new())
        } else {
            let parsed = Url::parse(&config.path).map_err(|error| unusable(error.to_string()))?;
            let environment = std::env::vars().map(|(name, value)| (name.to_ascii_lowercase(), value));
            let (store, _) =
                object_store::parse_url_opts(&parsed, environment).map_err(|error| unusable(error.to_string()))?;
            Arc::from(store)
        };
        let root = Path::from_absolute_path(&config.root).ok().filter(|_| local.is_some());
        Ok(Self {
            is_local: local.is_some(),
            config,
            local,
            root,
            store,
            warned: Arc::default(),
        })
    }

    /// These lines of its files as a table.
    pub(super) fn scan(&self, stretches: Vec<Stretch>) -> LinesScan {
        LinesScan::new(&self.config, self.store.clone(), stretches)
    }

    pub(super) fn unreachable(&self, error: &dyn std::error::Error) -> SourceError {
        SourceError::Unreachable {
            what: format!("files {}", self.config.path),
            reason: error.to_string(),
            help: "check the path, and that you may read it".to_owned(),
        }
    }

    pub(super) fn failed(&self, place: &str, error: &dyn std::error::Error) -> SourceError {
        self.unreachable(&std::io::Error::other(format!("{place}: {error}")))
    }

    /// Logs a warning once.
    pub(super) fn warn(&self, warning: String) {
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if !warned.contains(&warning) {
            tracing::warn!("{warning}");
            warned.insert(warning);
        }
    }
}

#[async_trait]
impl Source for FilesSource {
    async fn pending(&self, committed: &dyn Committed, options: ReadOptions) -> Result<Pending, SourceError> {
        if options.from_timestamp_millis.is_some() {
            return Err(SourceError::FromTimestamp {
                what: "files".to_owned(),
                reason: "lines of files have no times of their own".to_owned(),
                help: "leave --from-timestamp out, or choose a target that reads Kafka".to_owned(),
            });
        }
        // One time for all: a file records when it was written, not when its records arrived.
        let found_us = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_micros();
        let found_us = i64::try_from(found_us).unwrap_or(i64::MAX);
        let files = self.listing().await?;
        let known = Known::committed(committed, files.iter().map(|file| &file.place)).await?;
        let waiting = Waiting::find(self, &files, &known, options.on_loss).await?;
        let stretches = waiting.stretches(&files, found_us);
        let records = stretches.iter().map(|stretch| stretch.records).sum();
        Ok(Pending {
            next: waiting.positions(&files, &known),
            keep: waiting.renamed || waiting.read_again > READ_AGAIN_MAX,
            provider: Arc::new(self.scan(stretches)),
            records,
            lag: BTreeMap::from([(self.config.path.clone(), records)]),
        })
    }
}
