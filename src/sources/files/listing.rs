//! Lists the files of a source: which a folder, a pattern or a URL takes, and a stamp of each one's metadata (size,
//! times, inode, tag), so that an unchanged file is not opened. Warns if nothing is read.

use std::hash::Hasher;
use std::path::Path as LocalPath;
use std::time::{Duration, SystemTime};

use futures::TryStreamExt;
use glob::Pattern;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use twox_hash::XxHash64;
use url::Url;

use super::files_source::FilesSource;
use super::fingerprint::positive;
use super::names;
use crate::plural::counted;
use crate::sources::SourceError;
use crate::sources::formats::Layout;

/// File system clocks tick at least this often: a file changed within the last tick may change again unnoticed.
const TICK: Duration = Duration::from_millis(20);
/// The same for stores without version tags, which report whole seconds.
const TICK_OF_STORES: Duration = Duration::from_secs(2);
/// The number of skipped files that a warning names.
const EXAMPLES: usize = 3;

/// A file to read.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    pub meta: ObjectMeta,
    /// Its name in the records.
    pub place: String,
    /// A hash of all metadata from the store; 0 if the file may change without changing it.
    pub stamp: i64,
}

/// What a source's path refers to.
#[derive(Debug)]
pub(super) enum Scope {
    One(Path),
    Below { prefix: Path, pattern: Option<Pattern> },
}

impl Scope {
    /// The path of one of its files below its folder; empty for a single file.
    pub fn below(&self, path: &Path) -> String {
        let parts = match self {
            Self::One(_) => None,
            Self::Below { prefix, .. } => path.prefix_match(prefix),
        };
        let parts = parts.into_iter().flatten().map(|part| part.as_ref().to_owned());
        parts.collect::<Vec<_>>().join("/")
    }

    fn takes(&self, path: &Path, endings: &[&str]) -> bool {
        let Self::Below { prefix, pattern } = self else {
            return true;
        };
        let Some(parts) = path.prefix_match(prefix) else {
            return false;
        };
        let parts: Vec<_> = parts.collect();
        let parts: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
        match pattern {
            None => names::is_data(&parts, endings),
            Some(pattern) => matches(pattern, &parts),
        }
    }
}

/// Matches as a shell does: hidden files need an explicit pattern, and so do files that are still being written, and
/// folders that are skipped.
fn matches(pattern: &Pattern, parts: &[&str]) -> bool {
    let [folders @ .., name] = parts else { return false };
    let last = pattern.as_str().rsplit('/').next().unwrap_or_default();
    if names::is_unfinished(name) && !names::is_unfinished(last) {
        return false;
    }
    let is_skipped = |part: &str| names::is_skipped(part);
    if folders.iter().copied().any(is_skipped) && !pattern.as_str().split('/').any(is_skipped) {
        return false;
    }
    // The pattern need not mention partition folders (`date=2026-03-01`).
    let shorter = folders.iter().filter(|folder| !folder.contains('=')).chain([name]);
    let shorter: Vec<&str> = shorter.copied().collect();
    pattern.matches(&parts.join("/")) || pattern.matches(&shorter.join("/"))
}

impl FilesSource {
    /// The files, sorted by path.
    pub(super) async fn listing(&self) -> Result<Vec<Listed>, SourceError> {
        let scope = self.scope().await?;
        self.listing_in(&scope, self.config.format.endings()).await
    }

    /// The same for a scope; from a folder, the files with these extensions.
    pub(super) async fn listing_in(&self, scope: &Scope, endings: &[&str]) -> Result<Vec<Listed>, SourceError> {
        let listed_at = SystemTime::now();
        let metas = match scope {
            Scope::One(path) => vec![self.store.head(path).await.map_err(|error| self.unreachable(&error))?],
            Scope::Below { prefix, .. } => {
                let listed: Result<Vec<ObjectMeta>, _> = self.store.list(Some(prefix)).try_collect().await;
                listed.map_err(|error| self.unreachable(&error))?
            }
        };
        let (mut wanted, others): (Vec<ObjectMeta>, Vec<ObjectMeta>) =
            metas.into_iter().partition(|meta| scope.takes(&meta.location, endings));
        if wanted.is_empty() {
            self.warn_of(scope, &others);
        }
        wanted.sort_by(|a, b| a.location.cmp(&b.location));
        let mut found: Vec<Listed> = wanted
            .into_iter()
            .map(|meta| Listed {
                place: self.place(&meta.location),
                stamp: stamp_of_store(&meta, listed_at),
                meta,
            })
            .collect();
        if self.is_local {
            let stamped = tokio::task::spawn_blocking(move || {
                found
                    .iter_mut()
                    .for_each(|file| file.stamp = stamp(&file.meta, listed_at));
                found
            });
            found = stamped.await.map_err(|error| self.unreachable(&error))?;
        }
        Ok(found)
    }

    /// What the path refers to now.
    pub(super) async fn scope(&self) -> Result<Scope, SourceError> {
        match &self.local {
            Some(path) => self.local_scope(path).await,
            None => self.remote_scope().await,
        }
    }

    async fn local_scope(&self, path: &LocalPath) -> Result<Scope, SourceError> {
        let location = |path: &LocalPath| Path::from_absolute_path(path).map_err(|error| self.unreachable(&error));
        match tokio::fs::metadata(path).await {
            Ok(there) if there.is_dir() => {
                return Ok(Scope::Below {
                    prefix: location(path)?,
                    pattern: None,
                });
            }
            // A name with brackets is not a pattern if such a file exists.
            Ok(_) => return Ok(Scope::One(location(path)?)),
            Err(error) if is_missing(&error) => {}
            Err(error) => return Err(self.unreachable(&error)),
        }
        let (folder, pattern) = split(&path.to_string_lossy());
        let Some(pattern) = pattern else {
            return Err(self.missing("no such folder or file"));
        };
        match tokio::fs::metadata(&folder).await {
            Ok(there) if there.is_dir() => Ok(Scope::Below {
                prefix: location(LocalPath::new(&folder))?,
                pattern: Some(self.pattern(&pattern)?),
            }),
            Ok(_) => Err(self.missing(&format!("{folder} is not a folder"))),
            Err(error) if is_missing(&error) => Err(self.missing(&format!("no such folder: {folder}"))),
            Err(error) => Err(self.unreachable(&error)),
        }
    }

    async fn remote_scope(&self) -> Result<Scope, SourceError> {
        let location = |url: &str| {
            let path = Url::parse(url).map_err(|error| self.unreachable(&error))?;
            Path::from_url_path(path.path()).map_err(|error| self.unreachable(&error))
        };
        let (prefix, pattern) = split(&self.config.path);
        let pattern = pattern.map(|pattern| self.pattern(&pattern)).transpose()?;
        let prefix = location(&prefix)?;
        if pattern.is_none() && !self.config.path.ends_with('/') {
            match self.store.head(&prefix).await {
                Ok(_) => return Ok(Scope::One(prefix)),
                Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(self.unreachable(&error)),
            }
        }
        Ok(Scope::Below { prefix, pattern })
    }

    fn pattern(&self, text: &str) -> Result<Pattern, SourceError> {
        Pattern::new(text).map_err(|error| self.unreachable(&error))
    }

    fn missing(&self, reason: &str) -> SourceError {
        SourceError::Missing {
            what: format!("the path {}", self.config.path),
            reason: reason.to_owned(),
            help: "check `path` of the source, which is relative to the folder of the project file".to_owned(),
        }
    }

    /// Warns if nothing is read and that may be a mistake. A folder without files just waits for some.
    fn warn_of(&self, scope: &Scope, others: &[ObjectMeta]) {
        let path = &self.config.path;
        let is_skipped = |meta: &&ObjectMeta| {
            let Scope::Below { prefix, .. } = scope else {
                return false;
            };
            let below = meta.location.prefix_match(prefix).into_iter().flatten();
            let parts: Vec<_> = below.collect();
            let folders = parts.split_last().map_or(&[][..], |(_, folders)| folders);
            folders.iter().any(|folder| names::is_skipped(folder.as_ref()))
        };
        let visible = others.iter().filter(|meta| !is_skipped(meta));
        let visible = visible.filter_map(|meta| meta.location.filename());
        let mut visible: Vec<&str> = visible.filter(|name| !names::is_unfinished(name)).collect();
        visible.sort_unstable();
        let examples = || {
            let more = if visible.len() > EXAMPLES { ", …" } else { "" };
            format!("{}{more}", visible[..visible.len().min(EXAMPLES)].join(", "))
        };
        let is_text = matches!(self.config.format.layout(), Layout::Text(_));
        match scope {
            Scope::Below { pattern: Some(_), .. } if visible.is_empty() => {
                self.warn(format!("no file matches {path}, so nothing is read"));
            }
            Scope::Below { pattern: Some(_), .. } => self.warn(format!(
                "no file matches {path}, so nothing is read; other files there: {} ({})",
                visible.len(),
                examples()
            )),
            Scope::Below { pattern: None, .. } if !visible.is_empty() => self.warn(format!(
                "nothing in {path} is read: it holds {} ({}), but none with an extension that clickrec reads from \
                 folders: {}; to read other files, use a pattern such as {path}/*.log",
                counted(visible.len() as u64, "file", "files"),
                examples(),
                names::listed(self.config.format.endings(), is_text)
            )),
            _ => {}
        }
    }

    /// The path relative to the project's folder: it stays the same when the project is moved or the pattern is
    /// widened.
    fn place(&self, path: &Path) -> String {
        let below_root = self.root.as_ref().and_then(|root| path.prefix_match(root));
        match below_root {
            Some(parts) => parts.map(|part| part.as_ref().to_owned()).collect::<Vec<_>>().join("/"),
            None => path.to_string(),
        }
    }
}

fn is_missing(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory)
}

/// Splits a path before its first part with a wildcard.
fn split(path: &str) -> (String, Option<String>) {
    let mut at = 0;
    for part in path.split_inclusive('/') {
        if names::is_pattern(part) {
            return (path[..at].to_owned(), Some(path[at..].to_owned()));
        }
        at += part.len();
    }
    (path.to_owned(), None)
}

/// A position that tells these parts from others; never 0.
pub(super) fn hash(parts: &[&[u8]]) -> i64 {
    let mut hash = XxHash64::with_seed(0);
    for part in parts {
        hash.write(&part.len().to_le_bytes());
        hash.write(part);
    }
    positive(hash.finish()).max(1)
}

fn stamp_of_store(meta: &ObjectMeta, listed_at: SystemTime) -> i64 {
    let changed = SystemTime::from(meta.last_modified);
    if meta.e_tag.is_none() && meta.version.is_none() && is_recent(changed, listed_at, TICK_OF_STORES) {
        return 0;
    }
    let tag = meta.e_tag.as_deref().unwrap_or_default().as_bytes();
    let version = meta.version.as_deref().unwrap_or_default().as_bytes();
    let changed = meta.last_modified.timestamp_micros().to_le_bytes();
    hash(&[tag, version, &changed, &meta.size.to_le_bytes()])
}

/// Includes the ctime, which users cannot set: `touch`, `cp -p` and `tar` set only the mtime.
#[cfg(unix)]
fn stamp(meta: &ObjectMeta, listed_at: SystemTime) -> i64 {
    use std::os::unix::fs::MetadataExt;
    let file = LocalFileSystem::new().path_to_filesystem(&meta.location).ok();
    let Some(file) = file.and_then(|path| std::fs::metadata(path).ok()) else {
        return 0;
    };
    let nanos = u32::try_from(file.ctime_nsec()).unwrap_or_default();
    let changed = SystemTime::UNIX_EPOCH + Duration::new(u64::try_from(file.ctime()).unwrap_or_default(), nanos);
    if file.len() != meta.size || is_recent(changed, listed_at, TICK) {
        return 0;
    }
    let numbers = [file.ino(), file.len(), file.ctime().cast_unsigned(), u64::from(nanos)];
    let bytes: Vec<u8> = numbers.into_iter().flat_map(u64::to_le_bytes).collect();
    hash(&[&bytes, &file.mtime().to_le_bytes(), &file.mtime_nsec().to_le_bytes()])
}

#[cfg(not(unix))]
fn stamp(meta: &ObjectMeta, listed_at: SystemTime) -> i64 {
    if is_recent(SystemTime::from(meta.last_modified), listed_at, TICK_OF_STORES) {
        return 0;
    }
    stamp_of_store(meta, listed_at)
}

fn is_recent(changed: SystemTime, listed_at: SystemTime, tick: Duration) -> bool {
    changed + tick >= listed_at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_tags_the_time_of_a_change_tells_and_a_fresh_one_tells_nothing() {
        let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let stamp = |after: Duration, listed_after: Duration| {
            let meta = ObjectMeta {
                location: Path::from("a.parquet"),
                last_modified: (changed + after).into(),
                size: 7,
                e_tag: None,
                version: None,
            };
            stamp_of_store(&meta, changed + listed_after)
        };
        let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
        assert_eq!(stamp(Duration::ZERO, minute), stamp(Duration::ZERO, 2 * minute));
        assert_ne!(stamp(Duration::ZERO, minute), stamp(second, minute));
        assert_eq!(
            stamp(Duration::ZERO, second),
            0,
            "it may change again within this second"
        );
    }
}
