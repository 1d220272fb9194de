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

/// Files up to this size are kept whole, and of larger ones no more than so much of their end.
const SMALL_BYTES: u64 = 1 << 20;
/// A reader of Parquet asks for the last bytes of a file first, which say how long the footer before them is: so much is
/// fetched with them, which is a small file as a whole, or the footer of a large one.
const TAIL_BYTES: u64 = 256 << 10;
/// The length of the footer's length and of the magic number (parquet.apache.org/docs/file-format).
const PARQUET_END_BYTES: u64 = 8;
/// What an entry is expected to weigh, to size the cache's own index.
const BYTES_EXPECTED: u64 = 16 << 10;

/// A store that keeps, in memory and in at most so many bytes, what is asked for again and again and never changes:
/// entries and checkpoints of Delta logs, small data files, and the footers of large ones.
///
/// Files of those names are written once. Should a table be deleted and made anew all the same, then a list of its files
/// tells, and what is kept of another file of that name is dropped.
#[derive(Clone)]
pub(super) struct CachedStore {
    inner: Arc<dyn ObjectStore>,
    kept: Arc<Cache<Path, Part, Weight>>,
}

/// A part of a file. What is kept reaches to the end of its file.
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
        // The path is in the key and in the description.
        (part.bytes.len() + 2 * path.as_ref().len() + size_of::<Part>()) as u64
    }
}

impl Part {
    /// The answer to a request for a range; `None` where that is not in this part.
    fn answer(&self, wanted: Option<&GetRange>) -> Option<GetResult> {
        let wanted = match wanted {
            // One that is out of bounds is the store's to refuse.
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

    /// Whether a store's description is of another file.
    fn is_not(&self, meta: &ObjectMeta) -> bool {
        // Azure writes tags with quotes and without.
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

    /// Reads all that a request brought, and keeps it where it reaches to the end of the file.
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

    /// What the list of a store says is believed.
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

/// Whether a file of this name is written once: entries and checkpoints of Delta logs, and data files, whose names hold a
/// UUID.
fn is_immutable(path: &Path) -> bool {
    match path.extension() {
        Some("parquet") => true,
        Some("json") => path
            .filename()
            .is_some_and(|name| name.starts_with(|first: char| first.is_ascii_digit())),
        _ => false,
    }
}

/// The range to ask for instead: whole small files, and with the end of a Parquet file what stands before it.
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

/// A request for the bytes of a file as they are, whatever they are.
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
            // It is not as long as its reader thinks, which the store tells better.
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
