//! The format `arrow`: IPC files and streams, which are read message by message.

use std::ops::Range;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::ipc::reader::{StreamDecoder, read_footer_length};
use arrow::ipc::root_as_message;
use bytes::Bytes;
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use datafusion::error::DataFusionError;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt};
use futures::{FutureExt, TryStreamExt};

use super::magic::{ARROW_FILE, ARROW_STREAM};
use super::table_file::PIECE;
use super::{Batches, Format, Layout, TableFile, TableFormat, magic};

/// What a message begins with, in all but old files; then comes the length of its head.
const BEGINNING: [u8; 4] = [0xff; 4];
/// What a stream ends with.
const END: &[u8] = b"\xff\xff\xff\xff\0\0\0\0";
/// Zeros fill the beginning of a file up to a multiple of this, and at most to this length.
const ALIGNED: usize = 8;
const BEFORE_MAX: u64 = 64;
/// The length of what follows the footer of a file: its length, and the mark.
const AFTER: u64 = 10;

/// Messages with batches of rows. A file is a stream of them with a footer that is not needed to read all.
#[derive(Debug)]
pub(super) struct ArrowIpc;

impl Format for ArrowIpc {
    fn name(&self) -> &'static str {
        "arrow"
    }

    fn endings(&self) -> &'static [&'static str] {
        &[".arrow", ".arrows", ".feather", ".ipc"]
    }

    fn foreign(&self, first: &[u8]) -> Option<&'static str> {
        magic::other_than(&[ARROW_FILE, ARROW_STREAM], first, "not an Arrow file")
    }

    fn layout(&self) -> Layout<'_> {
        Layout::Table(self)
    }
}

impl TableFormat for ArrowIpc {
    fn batches(&self, file: TableFile) -> Batches {
        let opened = async move {
            let messages = Messages {
                pieces: file.pieces(messages(&file).await?),
                bytes: Buffer::default(),
                decoder: StreamDecoder::new(),
            };
            Ok::<_, DataFusionError>(stream::try_unfold(messages, |mut messages| async move {
                let batch = messages.next_batch().await?;
                Ok::<_, DataFusionError>(batch.map(|batch| (batch, messages)))
            }))
        };
        stream::once(opened).try_flatten().boxed()
    }

    fn rows(&self, file: TableFile) -> BoxFuture<'static, Result<u64>> {
        declared_rows(file).boxed()
    }
}

/// Where the messages of a file are that is there as a whole.
async fn messages(file: &TableFile) -> Result<Range<u64>> {
    let size = file.size();
    let first = file.get(0..size.min(ARROW_FILE.len() as u64)).await?;
    if first != ARROW_FILE {
        let last = file.get(size.saturating_sub(END.len() as u64)..size).await?;
        return match last == END {
            true => Ok(0..size),
            false => exec_err!("the stream has no end marker: it was cut off, or its writer was not closed"),
        };
    }
    let after = file.get(size.saturating_sub(AFTER)..size).await?;
    let footer = match <[u8; AFTER as usize]>::try_from(&after[..]) {
        Ok(after) if after.ends_with(ARROW_FILE) => read_footer_length(after)? as u64,
        _ => return exec_err!("it has no footer: it was cut off, or its writer was not closed"),
    };
    let Some(end) = size.checked_sub(AFTER + footer) else {
        return exec_err!("its footer is damaged");
    };
    let head = file.get(0..end.min(BEFORE_MAX)).await?;
    Ok(first_message(&head)..end)
}

/// Where the first message of a file begins: after the zeros that follow its mark.
fn first_message(head: &[u8]) -> u64 {
    let filled = head
        .chunks_exact(ALIGNED)
        .skip(1)
        .take_while(|eight| eight.iter().all(|byte| *byte == 0));
    ((1 + filled.count()) * ALIGNED).min(head.len()) as u64
}

/// How many rows the batches of a file say that they have.
async fn declared_rows(file: TableFile) -> Result<u64> {
    let Range { start: mut at, end } = messages(&file).await?;
    let mut rows = 0_u64;
    while at < end {
        let piece = file.get(at..end.min(at.saturating_add(PIECE))).await?;
        let before = at;
        // The body of the last message may lie beyond the piece.
        while let Some(message) = piece
            .get((at - before) as usize..)
            .map(Message::read)
            .transpose()?
            .flatten()
        {
            rows = rows.saturating_add(message.rows);
            at = at.saturating_add(message.length);
        }
        if at == before {
            return exec_err!("it has no message at byte {at}");
        }
    }
    match at == end {
        true => Ok(rows),
        false => exec_err!("it ends in the middle of a message"),
    }
}

/// What a message says of itself.
struct Message {
    /// Its length in bytes, with its body.
    length: u64,
    rows: u64,
}

impl Message {
    /// The message that comes next; `None` if its head is not there as a whole.
    fn read(bytes: &[u8]) -> Result<Option<Self>> {
        let mark = match bytes.starts_with(&BEGINNING) {
            true => BEGINNING.len(),
            false => 0,
        };
        let Some((size, rest)) = bytes[mark..].split_first_chunk::<4>() else {
            return Ok(None);
        };
        let (before, size) = ((mark + size.len()) as u64, u32::from_le_bytes(*size));
        if size == 0 {
            // The end.
            return Ok(Some(Self {
                length: before,
                rows: 0,
            }));
        }
        let Some(head) = rest.get(..size as usize) else {
            return Ok(None);
        };
        let head = root_as_message(head).map_err(|error| exec_datafusion_err!("a message is damaged: {error}"))?;
        let rows = head.header_as_record_batch().map_or(0, |batch| batch.length());
        match (u64::try_from(head.bodyLength()), u64::try_from(rows)) {
            (Ok(body), Ok(rows)) => Ok(Some(Self {
                length: before.saturating_add(size.into()).saturating_add(body),
                rows,
            })),
            _ => exec_err!("a length is negative"),
        }
    }
}

/// A stream in progress.
struct Messages {
    pieces: BoxStream<'static, Result<Bytes>>,
    /// What was read and not decoded.
    bytes: Buffer,
    decoder: StreamDecoder,
}

impl Messages {
    async fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(batch) = self.decoder.decode(&mut self.bytes)? {
                return Ok(Some(batch));
            }
            match self.pieces.try_next().await? {
                Some(piece) => self.bytes = Buffer::from(piece),
                None => {
                    self.decoder.finish()?;
                    return Ok(None);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use arrow::array::{ArrayRef, DictionaryArray, Int64Array};
    use arrow::datatypes::Int8Type;
    use arrow::ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
    use arrow::ipc::{CompressionType, MetadataVersion};

    use super::super::testing::{self, read_table};
    use super::*;

    fn batch(from: i64) -> RecordBatch {
        let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(from..from + 1_000));
        let kinds: DictionaryArray<Int8Type> = (0..1_000).map(|n| ["view", "purchase"].get(n % 3).copied()).collect();
        RecordBatch::try_from_iter_with_nullable([("id", ids, false), ("kind", Arc::new(kinds) as ArrayRef, true)])
            .unwrap()
    }

    fn file(compression: Option<CompressionType>) -> Vec<u8> {
        let options = IpcWriteOptions::default().try_with_compression(compression).unwrap();
        let mut writer = FileWriter::try_new_with_options(vec![], &batch(0).schema(), options).unwrap();
        writer.write(&batch(0)).unwrap();
        writer.write(&batch(1_000)).unwrap();
        writer.finish().unwrap();
        writer.into_inner().unwrap()
    }

    fn streamed() -> Vec<u8> {
        let mut writer = StreamWriter::try_new(vec![], &batch(0).schema()).unwrap();
        writer.write(&batch(0)).unwrap();
        writer.write(&batch(1_000)).unwrap();
        writer.finish().unwrap();
        writer.into_inner().unwrap()
    }

    #[tokio::test]
    async fn files_and_streams_are_read() {
        for bytes in [
            file(None),
            file(Some(CompressionType::ZSTD)),
            file(Some(CompressionType::LZ4_FRAME)),
            streamed(),
        ] {
            assert_eq!(testing::declared_rows(&ArrowIpc, bytes.clone()).await.unwrap(), 2_000);
            let rows = read_table(&ArrowIpc, bytes).await.unwrap();
            assert_eq!(rows.len(), 2_000);
            assert_eq!(rows[1_998..], [r#"{"id":1998}"#, r#"{"id":1999,"kind":"view"}"#]);
            assert_eq!(rows[2], r#"{"id":2}"#);
        }
    }

    #[tokio::test]
    async fn the_first_message_may_begin_anywhere() {
        for alignment in [8, 16, 32, 64] {
            let options = IpcWriteOptions::try_new(alignment, false, MetadataVersion::V5).unwrap();
            let mut writer = FileWriter::try_new_with_options(vec![], &batch(0).schema(), options).unwrap();
            writer.write(&batch(0)).unwrap();
            writer.finish().unwrap();
            let written = writer.into_inner().unwrap();
            assert_eq!(testing::declared_rows(&ArrowIpc, written.clone()).await.unwrap(), 1_000);
            let rows = read_table(&ArrowIpc, written).await.unwrap();
            assert_eq!(rows.len(), 1_000, "{alignment}");
        }
    }

    #[tokio::test]
    async fn what_is_cut_off_is_an_error() {
        for whole in [file(None), streamed()] {
            for length in [5, 9, whole.len() / 2, whole.len() - 9, whole.len() - 1] {
                read_table(&ArrowIpc, whole[..length].to_vec()).await.unwrap_err();
                let declared = testing::declared_rows(&ArrowIpc, whole[..length].to_vec());
                declared.await.unwrap_err();
            }
        }
    }

    /// More messages than one request has, and bodies that lie beyond it.
    #[tokio::test]
    async fn rows_are_counted_however_large_their_batches_are() {
        let large = |rows: i64| {
            let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
            RecordBatch::try_from_iter([("n", numbers)]).unwrap()
        };
        let mut writer = FileWriter::try_new(vec![], &large(0).schema()).unwrap();
        let mut written = 0;
        for rows in [1_i64, 400_000, 7, 131_072, 0, 300_000].into_iter().chain([10; 9_000]) {
            writer.write(&large(rows)).unwrap();
            written += rows.cast_unsigned();
        }
        writer.finish().unwrap();
        let file = writer.into_inner().unwrap();
        assert_eq!(testing::declared_rows(&ArrowIpc, file).await.unwrap(), written);
    }
}
