//! A file that holds a table: ranges of its bytes, always of the same version.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::common::{Result, exec_err};
use datafusion::error::DataFusionError;
use futures::stream::{self, BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore};

/// The bytes of one request.
pub(super) const PIECE: u64 = 1 << 20;

/// A file that holds a table, in the version in which it was found.
#[derive(Debug, Clone)]
pub struct TableFile {
    store: Arc<dyn ObjectStore>,
    path: Path,
    size: u64,
    tag: Option<String>,
}

impl TableFile {
    /// The file of this path, size in bytes and entity tag.
    pub fn new(store: Arc<dyn ObjectStore>, path: Path, size: u64, tag: Option<String>) -> Self {
        Self { store, path, size, tag }
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// A range of its bytes.
    ///
    /// # Errors
    /// When the file ends before; as an error of the store, when it cannot be read, or was replaced meanwhile.
    pub async fn get(&self, range: Range<u64>) -> Result<Bytes> {
        if range.start > range.end || range.end > self.size {
            return exec_err!("it ends before byte {}", range.end);
        }
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let options = GetOptions {
            range: Some(GetRange::Bounded(range)),
            if_match: self.tag.clone(),
            ..GetOptions::default()
        };
        Ok(self.store.get_opts(&self.path, options).await?.bytes().await?)
    }

    /// A range of its bytes, as a stream of pieces.
    pub fn pieces(&self, range: Range<u64>) -> BoxStream<'static, Result<Bytes>> {
        let (file, end) = (self.clone(), range.end);
        let pieces = stream::try_unfold(range.start, move |at| {
            let file = file.clone();
            async move {
                let next = end.min(at + PIECE);
                match at < end {
                    true => Ok(Some((file.get(at..next).await?, next))),
                    false => Ok::<_, DataFusionError>(None),
                }
            }
        });
        pieces.boxed()
    }
}
