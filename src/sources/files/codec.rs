//! How files are compressed (gzip, bzip2, xz, zstd), by name or first bytes; their decompression as a stream; which of
//! its errors are damage (`is_damage`: `pass` ends there, and `new_lines` warns); and files that are not text at all.

use std::error::Error;
use std::io;

use async_compression::tokio::bufread::{BzDecoder, GzipDecoder, XzDecoder, ZstdDecoder};
use bytes::Bytes;
use datafusion::error::DataFusionError;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncRead;
use tokio_util::io::{ReaderStream, StreamReader};

use super::names;
use crate::sources::formats::Format;

/// The size of the chunks a decompressor emits.
const CHUNK: usize = 64 << 10;

/// Ranges up to this size are read in one request.
const SMALL: u64 = 1 << 20;

/// The bytes of a file, or its text, as a stream.
pub(super) type Chunks = BoxStream<'static, Result<Bytes, DataFusionError>>;

/// How the text of a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Codec {
    Plain,
    Gzip,
    Bzip2,
    Xz,
    Zstd,
}

/// What a file is, judging by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text, or compressed text.
    Text(Codec),
    /// Something that cannot be in the source's format.
    Foreign(&'static str),
}

impl Kind {
    /// Determines the kind from the file name's extension or, failing that, from the first bytes.
    pub fn of(format: &dyn Format, path: &Path, first: &[u8]) -> Self {
        if let Some(codec) = Codec::of_name(path.filename().unwrap_or_default()) {
            return Self::Text(codec);
        }
        let codec = match first {
            [0x1f, 0x8b, ..] => Codec::Gzip,
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, ..] => Codec::Bzip2,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Codec::Xz,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Codec::Zstd,
            _ => Codec::Plain,
        };
        let foreign = format.foreign(first).filter(|_| codec == Codec::Plain);
        foreign.map_or(Self::Text(codec), Self::Foreign)
    }
}

impl Codec {
    fn of_name(name: &str) -> Option<Self> {
        Some(match names::compression(name)? {
            ".gz" | ".gzip" => Self::Gzip,
            ".bz2" => Self::Bzip2,
            ".xz" => Self::Xz,
            _ => Self::Zstd,
        })
    }

    /// Decompresses a file's bytes, including all members if there are several.
    pub fn text(self, bytes: Chunks) -> Chunks {
        if self == Self::Plain {
            return bytes;
        }
        let bytes = StreamReader::new(bytes.map_err(io::Error::from));
        match self {
            Self::Plain => chunks(bytes),
            Self::Gzip => {
                let mut decoder = GzipDecoder::new(bytes);
                decoder.multiple_members(true);
                chunks(decoder)
            }
            Self::Bzip2 => {
                let mut decoder = BzDecoder::new(bytes);
                decoder.multiple_members(true);
                chunks(decoder)
            }
            Self::Xz => {
                let mut decoder = XzDecoder::new(bytes);
                decoder.multiple_members(true);
                chunks(decoder)
            }
            Self::Zstd => {
                let mut decoder = ZstdDecoder::new(bytes);
                decoder.multiple_members(true);
                chunks(decoder)
            }
        }
    }
}

fn chunks(reader: impl AsyncRead + Send + 'static) -> Chunks {
    ReaderStream::with_capacity(reader, CHUNK)
        .map_err(DataFusionError::from)
        .boxed()
}

/// A range of a file's raw bytes.
pub(super) async fn bytes_of(
    store: &dyn ObjectStore,
    path: &Path,
    bytes: std::ops::Range<u64>,
) -> Result<Chunks, DataFusionError> {
    if bytes.is_empty() {
        return Ok(futures::stream::empty().boxed());
    }
    if bytes.end - bytes.start <= SMALL {
        let all = store.get_range(path, bytes).await?;
        return Ok(futures::stream::iter([Ok(all)]).boxed());
    }
    let options = GetOptions {
        range: Some(GetRange::Bounded(bytes)),
        ..GetOptions::default()
    };
    let found = store.get_opts(path, options).await?;
    Ok(found.into_stream().map_err(DataFusionError::from).boxed())
}

/// The first bytes of a file, and a stream of all of it.
pub(super) async fn peek(mut bytes: Chunks) -> Result<(Bytes, Chunks), DataFusionError> {
    let first = bytes.try_next().await?.unwrap_or_default();
    let all = futures::stream::iter([Ok(first.clone())]).chain(bytes).boxed();
    Ok((first, all))
}

/// Whether a decompressor rejected its input; any other error comes from the store.
pub(super) fn is_damage(error: &DataFusionError) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    let DataFusionError::IoError(error) = error else {
        return false;
    };
    let of_store = error.get_ref().is_some_and(|inner| inner.is::<DataFusionError>());
    !of_store && (matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof) || is_of_codec(error))
}

/// The error of a store that caused this one.
pub(super) fn store_error(error: &DataFusionError) -> Option<&object_store::Error> {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

/// Decompressors report some damage as an untyped error; store errors always have a type of their own.
fn is_of_codec(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Other && error.raw_os_error().is_none()
}
