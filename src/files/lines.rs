//! Lines of a stream of bytes.

use bytes::Bytes;
use datafusion::common::exec_err;
use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use datafusion::error::DataFusionError;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt};
use serde::de::IgnoredAny;

/// A line must fit in memory: a file without line breaks is none of records.
const LINE_BYTES_MAX: usize = 256 << 20;

/// The text of some bytes of a file, decompressed where its name ends in `.gz`.
pub(super) async fn open(
    store: &dyn ObjectStore,
    path: &Path,
    bytes: std::ops::Range<u64>,
    gzip: bool,
) -> Result<BoxStream<'static, Result<Bytes, DataFusionError>>, DataFusionError> {
    if bytes.is_empty() {
        return Ok(futures::stream::empty().boxed());
    }
    let options = GetOptions {
        range: Some(GetRange::Bounded(bytes)),
        ..GetOptions::default()
    };
    let stream = store
        .get_opts(path, options)
        .await?
        .into_stream()
        .map_err(DataFusionError::from)
        .boxed();
    if gzip {
        FileCompressionType::GZIP.convert_stream(stream)
    } else {
        Ok(stream)
    }
}

/// What a stretch of a file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Count {
    /// Lines that are complete.
    pub lines: u64,
    /// Bytes of text up to the end of the last of them.
    pub bytes: u64,
    /// Why what follows cannot be decompressed: the file is damaged, or still being written.
    pub damage: Option<String>,
}

/// Counts the complete lines of a stream. A last line without a line break is complete once it is a JSON value: it may
/// still be being written.
pub(super) async fn count(
    mut stream: BoxStream<'static, Result<Bytes, DataFusionError>>,
) -> Result<Count, DataFusionError> {
    let (mut found, mut seen) = (Count::default(), 0);
    let mut tail = vec![];
    loop {
        let chunk = match stream.try_next().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => break,
            Err(error) if is_damage(&error) => {
                found.damage = Some(error.strip_backtrace());
                return Ok(found);
            }
            Err(error) => return Err(error),
        };
        found.lines += memchr::memchr_iter(b'\n', &chunk).count() as u64;
        match memchr::memrchr(b'\n', &chunk) {
            Some(last) => {
                found.bytes = seen + last as u64 + 1;
                tail.clear();
                tail.extend_from_slice(&chunk[last + 1..]);
            }
            None => tail.extend_from_slice(&chunk),
        }
        if tail.len() > LINE_BYTES_MAX {
            return exec_err!("line {} is longer than {LINE_BYTES_MAX} bytes", found.lines + 1);
        }
        seen += chunk.len() as u64;
    }
    if serde_json::from_slice::<IgnoredAny>(&tail).is_ok() {
        found.lines += 1;
        found.bytes = seen;
    }
    Ok(found)
}

/// Whether a decompressor did not understand what it got; anything else is the store's failure.
fn is_damage(error: &DataFusionError) -> bool {
    use std::io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    matches!(error, DataFusionError::IoError(error) if matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof))
}

/// Puts lines together that are spread over chunks.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    begun: Vec<u8>,
}

impl Splitter {
    /// Calls `line` with each line that ends in the chunk, without its line break; stops where it says `false`.
    pub fn feed(&mut self, chunk: &[u8], mut line: impl FnMut(&[u8]) -> bool) -> bool {
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', chunk) {
            let rest = &chunk[start..end];
            start = end + 1;
            let go_on = if self.begun.is_empty() {
                line(without_return(rest))
            } else {
                self.begun.extend_from_slice(rest);
                let go_on = line(without_return(&self.begun));
                self.begun.clear();
                go_on
            };
            if !go_on {
                return false;
            }
        }
        self.begun.extend_from_slice(&chunk[start..]);
        true
    }

    /// The last line, which had no line break.
    pub fn rest(&self) -> &[u8] {
        without_return(&self.begun)
    }
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The byte at a place of a file.
pub(super) async fn byte_at(store: &dyn ObjectStore, path: &Path, at: u64) -> Result<Option<u8>, object_store::Error> {
    Ok(store.get_range(path, at..at + 1).await?.first().copied())
}
