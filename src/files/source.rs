use std::sync::Arc;

use async_trait::async_trait;
use datafusion::datasource::listing::ListingTableUrl;
use futures::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};
use url::Url;

use super::lines::{byte_at, count, open};
use super::scan::{FilesScan, Stretch};
use crate::config::FilesConfig;
use crate::source::{Committed, Pending, Positions, Source, SourceError};

/// What of a folder is read where no pattern says so.
const EXTENSIONS: [&str; 6] = [".json", ".ndjson", ".jsonl", ".json.gz", ".ndjson.gz", ".jsonl.gz"];
const BYTES: &str = "#bytes";

/// Files of one JSON object a line. Places are `FILE`, with the lines that were read as position, and `FILE#bytes`.
#[derive(Debug, Clone)]
pub struct FilesSource {
    config: FilesConfig,
    url: ListingTableUrl,
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
        Ok(Self { config, url, store })
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

    /// The path from the folder: it stays the same where the folder is moved.
    fn place(&self, path: &Path) -> String {
        match path.prefix_match(self.url.prefix()) {
            Some(parts) => {
                let parts: Vec<String> = parts.map(|part| part.as_ref().to_owned()).collect();
                if parts.is_empty() {
                    path.filename().unwrap_or_default().to_owned()
                } else {
                    parts.join("/")
                }
            }
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

    /// What of a file is new: its lines and where they are.
    async fn stretch(
        &self,
        file: &ObjectMeta,
        committed: &dyn Committed,
    ) -> Result<Option<(Stretch, Positions)>, SourceError> {
        let place = self.place(&file.location);
        let position = async |place: &str| -> Result<u64, SourceError> {
            Ok(committed.position(place).await?.map_or(0, i64::unsigned_abs))
        };
        let bytes_place = format!("{place}{BYTES}");
        let (lines, bytes) = (position(&place).await?, position(&bytes_place).await?);
        if file.size == bytes {
            return Ok(None);
        }
        if file.size < bytes {
            return Err(SourceError::PositionLost {
                place,
                committed: i64::try_from(bytes).unwrap_or(i64::MAX),
                available: format!("{} bytes", file.size),
                reason: "the file was replaced or cut short".to_owned(),
                help: "put it back, or give what is new another name; to read everything again: clickrec run \
                       --full-refresh --select STEP+"
                    .to_owned(),
            });
        }
        let gzip = file.location.as_ref().ends_with(".gz");
        let failed =
            |error: &dyn std::error::Error| self.unreachable(&std::io::Error::other(format!("{place}: {error}")));
        // A line that ended without a line break may have got one since.
        let mut start = if gzip { 0 } else { bytes };
        if start > 0
            && byte_at(&*self.store, &file.location, start - 1)
                .await
                .map_err(|e| failed(&e))?
                != Some(b'\n')
        {
            start += self.line_break(file, start).await.map_err(|e| failed(&e))?;
        }
        let stream = open(&*self.store, &file.location, start..file.size, gzip)
            .await
            .map_err(|e| failed(&e))?;
        let found = count(stream).await.map_err(|error| failed(&error))?;
        let (skip, new) = if gzip {
            (lines, found.lines.saturating_sub(lines))
        } else {
            (0, found.lines)
        };
        let end = if gzip { file.size } else { start + found.bytes };
        let stretch = Stretch {
            path: file.location.clone(),
            name: place.clone(),
            gzip,
            bytes: start..end,
            skip,
            lines: new,
            first_line: lines + 1,
            modified_us: file.last_modified.timestamp_micros(),
        };
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let next = Positions::from([(place, signed(lines + new)), (bytes_place, signed(end))]);
        Ok(if new == 0 { None } else { Some((stretch, next)) })
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
    async fn pending(&self, committed: &dyn Committed) -> Result<Pending, SourceError> {
        let (mut stretches, mut next) = (vec![], Positions::new());
        for file in self.files().await? {
            if let Some((stretch, positions)) = self.stretch(&file, committed).await? {
                stretches.push(stretch);
                next.extend(positions);
            }
        }
        let records = stretches.iter().map(|stretch| stretch.lines).sum();
        let provider = Arc::new(FilesScan::new(self.store.clone(), stretches));
        Ok(Pending {
            provider,
            next,
            records: Some(records),
        })
    }
}
