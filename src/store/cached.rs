//! A cache in memory, at most 64 MiB, of what is read again and again from a cloud store and never changes: entries of
//! the log, small files, Parquet footers.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::Utc;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetRange, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

/// Files up to this size are cached whole; of larger files, at most this much of the end.
const SMALL_BYTES: u64 = 1 << 20;
/// A Parquet reader first requests the last bytes of a file, which contain the footer's length. This much is fetched
/// along with them: all of a small file, or the footer of a large one.
const TAIL_BYTES: u64 = 256 << 10;
/// The size of the footer length plus the magic number (parquet.apache.org/docs/file-format).
const PARQUET_END_BYTES: u64 = 8;
/// The expected size of an entry, to size the cache's own index.
const BYTES_EXPECTED: u64 = 16 << 10;

/// A store with a bounded in-memory cache for what is read repeatedly and never changes: entries and checkpoints of
/// Delta logs, small data files, and the footers of large ones.
///
/// Files with these names are written only once. If a table is deleted and recreated, listing its files
/// reveals this, and cached content of a replaced file is dropped.
#[derive(Clone)]
pub(super) struct CachedStore {
    inner: Arc<dyn ObjectStore>,
    kept: Arc<Cache<Path, Part, Weight>>,
}

/// A part of a file. A cached part always reaches to the end of its file.
#[derive(Clone)]
struct Part {
    meta: ObjectMeta,
    range: Range<u64>,
    bytes: Bytes,
}

#[derive(Clone)]
struct Weight;

impl Weighter<Path, Part> for Weight {
    fn weight(&self, path: &Path, part: &Part) -> u64 {
        // The path occurs in the key and in the metadata.
        (part.bytes.len() + 2 * path.as_ref().len() + size_of::<Part>()) as u64
    }
}

impl Part {
    /// The answer to a request for a range; `None` if the range is not in this part.
    fn answer(&self, wanted: Option<&GetRange>) -> Option<GetResult> {
        let wanted = match wanted {
            // Rejecting an out-of-bounds range is left to the store.
            Some(range) => range.as_range(self.meta.size).ok()?,
            None => 0..self.meta.size,
        };
        let start = usize::try_from(wanted.start.checked_sub(self.range.start)?).ok()?;
        let end = usize::try_from(wanted.end.checked_sub(self.range.start)?).ok()?;
        let part = Self {
            meta: self.meta.clone(),
            range: wanted,
            bytes: (end <= self.bytes.len()).then(|| self.bytes.slice(start..end))?,
        };
        Some(part.into())
    }

    /// Whether metadata from the store belongs to a different file.
    fn is_not(&self, meta: &ObjectMeta) -> bool {
        // Azure returns ETags both with and without quotes.
        let tag = |meta: &ObjectMeta| meta.e_tag.as_deref().map(|tag| tag.trim_matches('"').to_owned());
        let differ = tag(&self.meta)
            .zip(tag(meta))
            .is_some_and(|(kept, other)| kept != other);
        differ || self.meta.size != meta.size
    }
}

impl From<Part> for GetResult {
    fn from(part: Part) -> Self {
        Self {
            payload: GetResultPayload::Stream(stream::once(async { Ok(part.bytes) }).boxed()),
            meta: part.meta,
            range: part.range,
            attributes: Default::default(),
        }
    }
}

impl CachedStore {
    pub fn new(inner: Arc<dyn ObjectStore>, bytes: u64) -> Self {
        let expected = usize::try_from(bytes / BYTES_EXPECTED).unwrap_or(usize::MAX);
        Self {
            inner,
            kept: Arc::new(Cache::with_weighter(expected.max(16), bytes, Weight)),
        }
    }

    /// Reads the whole response, and caches it if it reaches to the end of the file.
    async fn read(&self, path: &Path, got: GetResult) -> Result<Part> {
        let (meta, range) = (got.meta.clone(), got.range.clone());
        let part = Part {
            meta,
            range,
            bytes: got.bytes().await?,
        };
        if part.range.end == part.meta.size {
            self.kept.insert(path.clone(), part.clone());
        }
        Ok(part)
    }

    /// Drops cached files that a listing from the store contradicts.
    fn listed(&self, list: BoxStream<'static, Result<ObjectMeta>>) -> BoxStream<'static, Result<ObjectMeta>> {
        let this = self.clone();
        list.inspect_ok(move |meta| this.compare(meta)).boxed()
    }

    fn compare(&self, meta: &ObjectMeta) {
        if self.kept.peek(&meta.location).is_some_and(|kept| kept.is_not(meta)) {
            self.kept.remove(&meta.location);
        }
    }
}

/// Whether files with this name are written only once: entries and checkpoints of Delta logs, and data files, whose
/// names contain a UUID.
fn is_immutable(path: &Path) -> bool {
    match path.extension() {
        Some("parquet") => true,
        Some("json") => path
            .filename()
            .is_some_and(|name| name.starts_with(|first: char| first.is_ascii_digit())),
        _ => false,
    }
}

/// The range to request instead: all of a small file, and more than the last bytes of a Parquet file.
fn widened(range: Option<GetRange>, kept: Option<&Part>) -> Option<GetRange> {
    match (range, kept) {
        (_, Some(kept)) if kept.meta.size <= SMALL_BYTES => None,
        (Some(GetRange::Bounded(range)), None) if range.end.saturating_sub(range.start) == PARQUET_END_BYTES => {
            Some(GetRange::Bounded(range.end.saturating_sub(TAIL_BYTES)..range.end))
        }
        // The rest of a long footer.
        (Some(GetRange::Bounded(range)), Some(kept))
            if range.end > kept.range.start
                && kept.meta.size.saturating_sub(range.start) <= SMALL_BYTES
                && range.start < kept.meta.size =>
        {
            Some(GetRange::Bounded(range.start..kept.meta.size))
        }
        (range, _) => range,
    }
}

/// Whether it requests the bytes of a file unconditionally.
fn is_plain(options: &GetOptions) -> bool {
    let conditions = [&options.if_match, &options.if_none_match, &options.version];
    let times = [options.if_modified_since, options.if_unmodified_since];
    !options.head && conditions.iter().all(|text| text.is_none()) && times.iter().all(Option::is_none)
}

impl fmt::Debug for CachedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CachedStore").field(&self.inner).finish()
    }
}

impl fmt::Display for CachedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CachedStore({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for CachedStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let keep = is_immutable(location) && payload.content_length() as u64 <= SMALL_BYTES;
        let bytes = keep.then(|| Bytes::from(payload.clone()));
        self.kept.remove(location);
        let put = self.inner.put_opts(location, payload, options).await?;
        if let Some(bytes) = bytes {
            let meta = ObjectMeta {
                location: location.clone(),
                last_modified: Utc::now(),
                size: bytes.len() as u64,
                e_tag: put.e_tag.clone(),
                version: put.version.clone(),
            };
            let range = 0..meta.size;
            self.kept.insert(location.clone(), Part { meta, range, bytes });
        }
        Ok(put)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.kept.remove(location);
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, mut options: GetOptions) -> Result<GetResult> {
        if !is_plain(&options) || !is_immutable(location) {
            return self.inner.get_opts(location, options).await;
        }
        let kept = self.kept.get(location);
        if let Some(answer) = kept.as_ref().and_then(|kept| kept.answer(options.range.as_ref())) {
            return Ok(answer);
        }
        let wanted = options.range.take();
        options.range = widened(wanted.clone(), kept.as_ref());
        let is_widened = options.range != wanted;
        let got = self.inner.get_opts(location, options).await?;
        let is_short = got.range.end - got.range.start <= SMALL_BYTES;
        if !is_widened && (!is_short || got.range.end != got.meta.size) {
            return Ok(got);
        }
        let part = self.read(location, got).await?;
        match part.answer(wanted.as_ref()) {
            Some(answer) => Ok(answer),
            // The file is shorter than its reader thinks; the store's own error is clearer.
            None => {
                self.inner
                    .get_opts(location, GetOptions::new().with_range(wanted))
                    .await
            }
        }
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let this = self.clone();
        let locations = locations.inspect_ok(move |path| drop(this.kept.remove(path)));
        self.inner.delete_stream(locations.boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listed(self.inner.list(prefix))
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listed(self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let listed = self.inner.list_with_delimiter(prefix).await?;
        listed.objects.iter().for_each(|meta| self.compare(meta));
        Ok(listed)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.kept.remove(to);
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.kept.remove(from);
        self.kept.remove(to);
        self.inner.rename_opts(from, to, options).await
    }
}

#[cfg(test)]
#[path = "cached_tests.rs"]
mod tests;
