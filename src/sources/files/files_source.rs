//! The type [`FilesSource`]: the path of a source of files, and the local disk or object store that holds them. What is
//! pending in them is in `pending`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use url::Url;

use super::FilesConfig;
use super::file_range::FileRange;
use super::newest::Newest;
use super::scan::FilesScan;
use crate::sources::SourceError;

/// Files of records. Places are file names, with the number of the last line or row read as the position.
/// `FILE#bytes`, `FILE#content` and `FILE#stamp` record what was read: how much, a hash of it, and a hash of the file's
/// metadata at the time. A snapshot has only `#snapshot` and `#stamp`, for all files together.
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
    /// The places of tables that were damaged, and so are not trusted.
    doubted: Arc<Mutex<BTreeSet<String>>>,
    /// The newest state of a snapshot, as far as it is known.
    pub(super) newest: Newest,
}

impl FilesSource {
    /// Opens nothing yet. A cloud store is configured from its usual environment variables.
    ///
    /// # Errors
    /// When the path is not a readable path or URL.
    pub fn new(config: FilesConfig) -> Result<Self, SourceError> {
        let unusable = |reason: String| SourceError::Unreachable {
            what: format!("the files in {}", config.path),
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
            doubted: Arc::default(),
            newest: Newest::default(),
        })
    }

    /// These records of its files as a table.
    pub(super) fn scan(&self, ranges: Vec<FileRange>) -> FilesScan {
        FilesScan::new(&self.config, self.store.clone(), ranges)
    }

    pub(super) fn unreachable(&self, error: &dyn std::error::Error) -> SourceError {
        SourceError::Unreachable {
            what: format!("the files in {}", self.config.path),
            reason: error.to_string(),
            help: "check the path and its permissions".to_owned(),
        }
    }

    pub(super) fn failed(&self, place: &str, error: &dyn std::error::Error) -> SourceError {
        self.unreachable(&std::io::Error::other(format!("{place}: {error}")))
    }

    /// From now on, decodes this table before it is read.
    pub(super) fn doubt(&self, place: &str) {
        let mut doubted = self.doubted.lock().unwrap_or_else(PoisonError::into_inner);
        doubted.insert(place.to_owned());
    }

    /// Whether the table was damaged before.
    pub(super) fn is_doubted(&self, place: &str) -> bool {
        let doubted = self.doubted.lock().unwrap_or_else(PoisonError::into_inner);
        doubted.contains(place)
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

/// The local path for a source's path, if it is local.
fn local(path: &str) -> Option<PathBuf> {
    if !path.contains("://") {
        return Some(PathBuf::from(path));
    }
    let url = Url::parse(path).ok().filter(|url| url.scheme() == "file")?;
    url.to_file_path().ok()
}
