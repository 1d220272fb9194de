//! Files that begin with a byte order mark, as programs on Windows write it: DataFusion's reader of CSV skips the mark,
//! and that of JSON does not. It reads them from a store that shows spaces in place of the mark.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use datafusion::datasource::listing::ListingTableUrl;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult,
};
use url::Url;

/// The byte order mark of UTF-8.
pub const MARK: &[u8] = b"\xef\xbb\xbf";

/// A store in which files begin with spaces instead of the mark.
#[derive(Debug)]
pub struct Unmarked(Arc<dyn ObjectStore>);

impl Unmarked {
    /// Over this store.
    pub fn over(store: Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> {
        Arc::new(Self(store))
    }
}

/// Where a session finds these files in such a store.
///
/// # Errors
/// When a URL is not valid.
pub fn unmarked(
    state: &SessionState,
    store: &Arc<dyn ObjectStore>,
    urls: &[ListingTableUrl],
) -> Result<Vec<ListingTableUrl>> {
    let unmarked = |url: &ListingTableUrl| {
        let url = Url::parse(&format!("unmarked-{}", url.get_url()));
        let url = url.map_err(|error| DataFusionError::External(Box::new(error)))?;
        state.runtime_env().register_object_store(&url, store.clone());
        ListingTableUrl::try_new(url, None)
    };
    urls.iter().map(unmarked).collect()
}

/// These bytes, the first of which is at a place in its file, with spaces in place of the mark.
fn blanked(bytes: Bytes, place: usize) -> Bytes {
    let mark = MARK.iter().skip(place).zip(&bytes);
    let marked = mark.take_while(|(mark, byte)| mark == byte).count();
    if marked == 0 {
        return bytes;
    }
    let mut text = bytes.to_vec();
    text[..marked].fill(b' ');
    text.into()
}

impl fmt::Display for Unmarked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unmarked({})", self.0)
    }
}

#[async_trait]
impl ObjectStore for Unmarked {
    async fn get_opts(&self, location: &Path, options: GetOptions) -> object_store::Result<GetResult> {
        let is_head = options.head;
        let found = self.0.get_opts(location, options).await?;
        if is_head || found.range.start >= MARK.len() as u64 {
            return Ok(found);
        }
        let (meta, range, attributes) = (found.meta.clone(), found.range.clone(), found.attributes.clone());
        let mut place = usize::try_from(range.start).unwrap_or(MARK.len());
        let bytes = found.into_stream().map_ok(move |bytes| {
            let here = place;
            place += bytes.len();
            blanked(bytes, here)
        });
        Ok(GetResult {
            payload: GetResultPayload::Stream(bytes.boxed()),
            meta,
            range,
            attributes,
        })
    }

    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> object_store::Result<PutResult> {
        self.0.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.0.put_multipart_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        self.0.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.0.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        self.0.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> object_store::Result<()> {
        self.0.copy_opts(from, to, options).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_becomes_spaces_however_it_is_cut() {
        let all = b"\xef\xbb\xbf[\xef\xbb\xbf]";
        for size in 1..=all.len() {
            let mut place = 0;
            let mut text = vec![];
            for chunk in all.chunks(size) {
                text.extend_from_slice(&blanked(Bytes::copy_from_slice(chunk), place));
                place += chunk.len();
            }
            assert_eq!(text, b"   [\xef\xbb\xbf]", "in pieces of {size}");
        }
    }
}
