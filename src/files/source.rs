use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::datasource::listing::ListingTableUrl;
use futures::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use twox_hash::XxHash64;
use url::Url;

use super::lines::{byte_at, count, open};
use super::scan::{LinesScan, Stretch};
use crate::config::FilesConfig;
use crate::source::{Committed, OnLoss, Pending, Positions, ReadOptions, Source, SourceError};

/// What of a folder is read where no pattern says so.
const EXTENSIONS: [&str; 6] = [".json", ".ndjson", ".jsonl", ".json.gz", ".ndjson.gz", ".jsonl.gz"];
const BYTES: &str = "#bytes";
const HEAD: &str = "#head";
/// So much of a file's beginning tells whether it is still the same file.
const HEAD_BYTES: u64 = 1_024;

/// Files of one JSON object a line. Places are `FILE`, with the lines that were read as position, `FILE#bytes`, and
/// `FILE#head` with a hash of how it begins.
#[derive(Debug, Clone)]
pub struct FilesSource {
    config: FilesConfig,
    url: ListingTableUrl,
    root: Option<Path>,
    store: Arc<dyn ObjectStore>,
}

impl FilesSource {
    /// Opens nothing yet. A cloud store is set up from the environment, in its own words.
    ///
    /// # Errors
    /// When the path is no path or URL that can be read.
    pub fn new(config: FilesConfig) -> Result<Self, SourceError> {
        let unusable = |reason: String| SourceError::Unreachable {
            what: format!("files {}", config.path),
            reason,
            help: "give a folder, a pattern like data/*.json, or a URL".to_owned(),
        };
        let url = ListingTableUrl::parse(&config.path).map_err(|error| unusable(error.to_string()))?;
        let store: Arc<dyn ObjectStore> = if url.scheme() == "file" {
            Arc::new(LocalFileSystem::new())
        } else {
            let parsed = Url::parse(url.as_str()).map_err(|error| unusable(error.to_string()))?;
            let environment = std::env::vars().map(|(name, value)| (name.to_ascii_lowercase(), value));
            let (store, _) =
                object_store::parse_url_opts(&parsed, environment).map_err(|error| unusable(error.to_string()))?;
            Arc::from(store)
        };
        let root = Path::from_absolute_path(&config.root)
            .ok()
            .filter(|_| url.scheme() == "file");
        Ok(Self {
            config,
            url,
            root,
            store,
        })
    }

    /// These lines of its files as a table.
    pub(super) fn scan(&self, stretches: Vec<Stretch>) -> LinesScan {
        LinesScan::new(&self.config.path, self.store.clone(), stretches)
    }

    /// The files, by path.
    async fn files(&self) -> Result<Vec<ObjectMeta>, SourceError> {
        let listed: Result<Vec<ObjectMeta>, _> = self.store.list(Some(self.url.prefix())).try_collect().await;
        let mut files = listed.map_err(|error| self.unreachable(&error))?;
        if files.is_empty() && !self.exists() {
            return Err(SourceError::Missing {
                what: format!("files {}", self.config.path),
                reason: "there is no such folder or file".to_owned(),
                help: "check `path` of the source; it starts from the folder of the project file".to_owned(),
            });
        }
        files.retain(|file| self.is_wanted(&file.location));
        files.sort_by(|a, b| a.location.cmp(&b.location));
        Ok(files)
    }

    /// Object stores have no empty folders; only a local one can be known to be missing.
    fn exists(&self) -> bool {
        let path = Url::parse(&format!("file:///{}", self.url.prefix()))
            .ok()
            .and_then(|url| url.to_file_path().ok());
        self.url.scheme() != "file" || path.is_none_or(|path| path.exists())
    }

    fn is_wanted(&self, path: &Path) -> bool {
        let by_name = self.url.get_glob().is_some() || path == self.url.prefix();
        let name = path.filename().unwrap_or_default();
        self.url.contains(path, false)
            && (by_name || (!name.starts_with('.') && EXTENSIONS.iter().any(|extension| name.ends_with(extension))))
    }

    /// The path from the project's folder: it stays the same where the project is moved, or the pattern is widened.
    fn place(&self, path: &Path) -> String {
        let below_root = self.root.as_ref().and_then(|root| path.prefix_match(root));
        match below_root {
            Some(parts) => parts.map(|part| part.as_ref().to_owned()).collect::<Vec<_>>().join("/"),
            None => path.to_string(),
        }
    }

    fn unreachable(&self, error: &dyn std::error::Error) -> SourceError {
        SourceError::Unreachable {
            what: format!("files {}", self.config.path),
            reason: error.to_string(),
            help: "check the path, and the permission to read it".to_owned(),
        }
    }

    fn failed(&self, place: &str, error: &dyn std::error::Error) -> SourceError {
        self.unreachable(&std::io::Error::other(format!("{place}: {error}")))
    }

    /// What of a file is new, and how far it will have been read.
    async fn stretch(
        &self,
        file: &ObjectMeta,
        committed: &dyn Committed,
        on_loss: OnLoss,
    ) -> Result<(Option<Stretch>, Positions), SourceError> {
        let place = self.place(&file.location);
        let mut read = ReadSoFar::committed(&place, committed).await?;
        if let Some(reason) = self.replaced(file, &place, &read).await? {
            let lost = lost(&place, &read, file.size, reason);
            if on_loss == OnLoss::Refuse {
                return Err(lost);
            }
            tracing::warn!("{lost}; reading the file from its first line");
            read = ReadSoFar::default();
        }
        if file.size == read.bytes {
            return Ok((None, read.positions(&place)));
        }
        let gzip = file.location.as_ref().ends_with(".gz");
        let start = if gzip {
            0
        } else {
            self.start(file, &place, read.bytes).await?
        };
        let found = open(&*self.store, &file.location, start..file.size, gzip).await;
        let found = match found {
            Ok(stream) => count(stream).await,
            Err(error) => Err(error),
        };
        let found = found.map_err(|error| self.failed(&place, &error))?;
        if let Some(reason) = &found.damage {
            tracing::warn!(
                "{place} cannot be decompressed beyond line {}: {reason}; what follows is left out until the file changes",
                found.lines
            );
        }
        let skip = if gzip { read.lines } else { 0 };
        let stretch = Stretch {
            path: file.location.clone(),
            name: place.clone(),
            gzip,
            bytes: start..if gzip { file.size } else { start + found.bytes },
            skip,
            lines: found.lines.saturating_sub(skip),
            first_line: read.lines + 1,
            modified_us: file.last_modified.timestamp_micros(),
        };
        let next = ReadSoFar {
            lines: read.lines + stretch.lines,
            bytes: stretch.bytes.end,
            head: self.head(file, &place, stretch.bytes.end).await?,
        };
        let has_lines = stretch.lines > 0;
        Ok((has_lines.then_some(stretch), next.positions(&place)))
    }

    /// Why the file cannot be the one that was read, if it cannot.
    async fn replaced(
        &self,
        file: &ObjectMeta,
        place: &str,
        read: &ReadSoFar,
    ) -> Result<Option<&'static str>, SourceError> {
        if file.size < read.bytes {
            return Ok(Some("the file was replaced or cut short"));
        }
        if file.size == read.bytes || read.bytes == 0 || read.head == self.head(file, place, read.bytes).await? {
            return Ok(None);
        }
        Ok(Some("the file was replaced: it begins with something else"))
    }

    /// A hash of how the file begins, up to `end`: appending does not change it.
    async fn head(&self, file: &ObjectMeta, place: &str, end: u64) -> Result<i64, SourceError> {
        if end == 0 {
            return Ok(0);
        }
        let bytes = self.store.get_range(&file.location, 0..end.min(HEAD_BYTES)).await;
        let bytes = bytes.map_err(|error| self.failed(place, &error))?;
        Ok((XxHash64::oneshot(0, &bytes) >> 1).cast_signed())
    }

    /// Where the next line begins: a line that ended without a line break may have got one since.
    async fn start(&self, file: &ObjectMeta, place: &str, read: u64) -> Result<u64, SourceError> {
        let failed = |error| self.failed(place, &error);
        if read == 0 {
            return Ok(0);
        }
        let last = byte_at(&*self.store, &file.location, read - 1).await.map_err(failed)?;
        if last == Some(b'\n') {
            return Ok(read);
        }
        Ok(read + self.line_break(file, read).await.map_err(failed)?)
    }

    /// How long the line break is that starts at a place, if one does.
    async fn line_break(&self, file: &ObjectMeta, at: u64) -> Result<u64, object_store::Error> {
        let byte = async |at| {
            if at < file.size {
                byte_at(&*self.store, &file.location, at).await
            } else {
                Ok(None)
            }
        };
        Ok(match byte(at).await? {
            Some(b'\n') => 1,
            Some(b'\r') if byte(at + 1).await? == Some(b'\n') => 2,
            _ => 0,
        })
    }
}

#[async_trait]
impl Source for FilesSource {
    async fn pending(&self, committed: &dyn Committed, options: ReadOptions) -> Result<Pending, SourceError> {
        if options.from_timestamp_millis.is_some() {
            return Err(SourceError::FromTimestamp {
                what: "files".to_owned(),
                reason: "their lines have no times of their own".to_owned(),
                help: "leave --from-timestamp out, or choose a target that reads Kafka".to_owned(),
            });
        }
        let (mut stretches, mut next) = (vec![], Positions::new());
        for file in self.files().await? {
            let (stretch, positions) = self.stretch(&file, committed, options.on_loss).await?;
            stretches.extend(stretch);
            next.extend(positions);
        }
        let records = stretches.iter().map(|stretch| stretch.lines).sum();
        let provider = Arc::new(self.scan(stretches));
        Ok(Pending {
            provider,
            next,
            records,
            lag: BTreeMap::from([(self.config.path.clone(), records)]),
        })
    }
}

/// How far a file was read.
#[derive(Debug, Clone, Copy, Default)]
struct ReadSoFar {
    lines: u64,
    bytes: u64,
    /// How the file began then.
    head: i64,
}

impl ReadSoFar {
    async fn committed(place: &str, committed: &dyn Committed) -> Result<Self, SourceError> {
        let lines = committed.position(place).await?.unwrap_or_default();
        let bytes = committed
            .position(&format!("{place}{BYTES}"))
            .await?
            .unwrap_or_default();
        let head = committed.position(&format!("{place}{HEAD}")).await?.unwrap_or_default();
        Ok(Self {
            lines: lines.unsigned_abs(),
            bytes: bytes.unsigned_abs(),
            head,
        })
    }

    fn positions(&self, place: &str) -> Positions {
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        Positions::from([
            (place.to_owned(), signed(self.lines)),
            (format!("{place}{BYTES}"), signed(self.bytes)),
            (format!("{place}{HEAD}"), self.head),
        ])
    }
}

fn lost(place: &str, read: &ReadSoFar, size: u64, reason: &str) -> SourceError {
    SourceError::PositionLost {
        place: place.to_owned(),
        committed: i64::try_from(read.bytes).unwrap_or(i64::MAX),
        available: format!("{size} bytes"),
        reason: reason.to_owned(),
        help: "put it back, or give what is new another name; to read it as a new file: clickrec run --accept-loss"
            .to_owned(),
    }
}
