//! The format `avro`: object container files, which are read block by block.

use std::io::Read;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use arrow_avro::errors::AvroError;
use arrow_avro::reader::{ReaderBuilder, read_header_info};
use bytes::Bytes;
use clickrec_udfs::has_unions;
use datafusion::common::{Result, exec_err};
use datafusion::error::DataFusionError;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt};
use futures::{FutureExt, TryStreamExt};

use super::{Batches, Format, Layout, TableFile, TableFormat, magic};

const BATCH_ROWS: usize = 1_024;
/// Blocks are decoded together from this many bytes on: the schema is parsed each time.
const GROUP_BYTES: usize = 1 << 20;
/// A block must fit in memory.
const BLOCK_BYTES_MAX: usize = 256 << 20;
/// What precedes the blocks holds little more than the schema: a longer head is damaged.
const HEAD_BYTES_MAX: usize = 16 << 20;
/// The length of the mark that ends a block.
const SYNC: usize = 16;

/// Blocks of records, with their schema at the head of the file.
#[derive(Debug)]
pub(super) struct Avro;

impl Format for Avro {
    fn name(&self) -> &'static str {
        "avro"
    }

    fn endings(&self) -> &'static [&'static str] {
        &[".avro"]
    }

    fn foreign(&self, first: &[u8]) -> Option<&'static str> {
        magic::other_than(&[magic::AVRO], first, "not an Avro file")
    }

    fn layout(&self) -> Layout<'_> {
        Layout::Table(self)
    }
}

impl TableFormat for Avro {
    fn batches(&self, file: TableFile) -> Batches {
        let groups = stream::try_unfold(Blocks::of(&file), |mut blocks| async move {
            let records = blocks.next_records().await?;
            let batches = records.map(|batches| stream::iter(batches.into_iter().map(Ok::<_, DataFusionError>)));
            Ok::<_, DataFusionError>(batches.map(|batches| (batches, blocks)))
        });
        groups.try_flatten().boxed()
    }

    fn rows(&self, file: TableFile) -> BoxFuture<'static, Result<u64>> {
        Blocks::of(&file).records().boxed()
    }
}

/// A file in progress.
struct Blocks {
    pieces: BoxStream<'static, Result<Bytes>>,
    have_ended: bool,
    /// What was read and not decoded.
    bytes: Vec<u8>,
    head: Option<Head>,
}

struct Head {
    bytes: Vec<u8>,
    sync: [u8; SYNC],
}

/// Blocks that are there as a whole.
#[derive(Debug, Default, PartialEq, Eq)]
struct Group {
    bytes: usize,
    records: u64,
}

impl Blocks {
    fn of(file: &TableFile) -> Self {
        Self {
            pieces: file.pieces(0..file.size()),
            have_ended: false,
            bytes: vec![],
            head: None,
        }
    }

    /// How many records the blocks say that they have.
    async fn records(mut self) -> Result<u64> {
        let mut records = 0_u64;
        while let Some(group) = self.next_group().await? {
            records = records.saturating_add(group.records);
            self.bytes.drain(..group.bytes);
        }
        Ok(records)
    }

    /// The records of some blocks; `None` at the end of the file.
    async fn next_records(&mut self) -> Result<Option<Vec<RecordBatch>>> {
        let (Some(group), Some(head)) = (self.next_group().await?, &self.head) else {
            return Ok(None);
        };
        let batches = decode(&head.bytes, &self.bytes[..group.bytes], group.records)?;
        self.bytes.drain(..group.bytes);
        Ok(Some(batches))
    }

    /// The blocks that come next, which are left where they are; `None` at the end of the file.
    async fn next_group(&mut self) -> Result<Option<Group>> {
        if self.head.is_none() {
            self.head = Some(self.read_head().await?);
        }
        loop {
            if let Some(head) = &self.head {
                let group = whole_blocks(&self.bytes, head.sync)?;
                if group.bytes >= GROUP_BYTES || (self.have_ended && group.bytes > 0) {
                    return Ok(Some(group));
                }
            }
            match (self.have_ended, self.bytes.is_empty()) {
                (true, true) => return Ok(None),
                (true, false) => return exec_err!("it ends in the middle of a block"),
                (false, _) => self.read_on().await?,
            }
        }
    }

    async fn read_head(&mut self) -> Result<Head> {
        loop {
            match read_header_info(&self.bytes[..]) {
                Ok(head) => {
                    let length = usize::try_from(head.header_len()).unwrap_or(usize::MAX);
                    return Ok(Head {
                        bytes: self.bytes.drain(..length.min(self.bytes.len())).collect(),
                        sync: head.sync(),
                    });
                }
                Err(AvroError::EOF(_)) if !self.have_ended && self.bytes.len() < HEAD_BYTES_MAX => {
                    self.read_on().await?;
                }
                Err(error) => return Err(ArrowError::from(error).into()),
            }
        }
    }

    async fn read_on(&mut self) -> Result<()> {
        match self.pieces.try_next().await? {
            Some(piece) => self.bytes.extend_from_slice(&piece),
            None => self.have_ended = true,
        }
        Ok(())
    }
}

/// The blocks that are there. The decoder itself would neither check their marks, nor miss the end of the last one.
fn whole_blocks(bytes: &[u8], sync: [u8; SYNC]) -> Result<Group> {
    let mut group = Group::default();
    loop {
        let rest = &bytes[group.bytes..];
        let Some((records, count_length)) = number(rest)? else {
            return Ok(group);
        };
        let Some((size, size_length)) = number(&rest[count_length..])? else {
            return Ok(group);
        };
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size > BLOCK_BYTES_MAX {
            return exec_err!("a block is longer than {} MiB", BLOCK_BYTES_MAX >> 20);
        }
        let data = count_length + size_length + size;
        match rest.get(data..data + SYNC) {
            Some(mark) if mark == sync => {}
            Some(_) => return exec_err!("the mark at the end of a block is damaged"),
            None => return Ok(group),
        }
        group.bytes += data + SYNC;
        group.records = group.records.saturating_add(records);
    }
}

/// A number as Avro writes it, in groups of seven bits, with the number of its bytes; `None` if some are missing.
fn number(bytes: &[u8]) -> Result<Option<(u64, usize)>> {
    let mut zigzag = 0_u64;
    for (place, byte) in bytes.iter().enumerate() {
        if place == 10 {
            break;
        }
        zigzag |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 != 0 {
            continue;
        }
        return match zigzag & 1 {
            0 => Ok(Some((zigzag >> 1, place + 1))),
            _ => exec_err!("a length is negative"),
        };
    }
    match bytes.len() {
        0..10 => Ok(None),
        _ => exec_err!("a length has no end"),
    }
}

fn decode(head: &[u8], blocks: &[u8], records: u64) -> Result<Vec<RecordBatch>> {
    let open = |rows: usize| ReaderBuilder::new().with_batch_size(rows).build(head.chain(blocks));
    let mut reader = open(BATCH_ROWS)?;
    if has_unions(&reader.schema()) {
        reader = open(usize::try_from(records).unwrap_or(usize::MAX).max(1))?;
    }
    let batches: Vec<RecordBatch> = reader.collect::<Result<_, ArrowError>>()?;
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    if rows as u64 != records {
        return exec_err!("some blocks hold {rows} records instead of the {records} that they declare");
    }
    Ok(batches)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use arrow_avro::compression::CompressionCodec;
    use arrow_avro::writer::WriterBuilder;
    use arrow_avro::writer::format::AvroOcfFormat;

    use super::super::testing::{declared_rows, read_table};
    use super::*;

    /// A file with a block per batch of 1,000 rows.
    fn file(rows: i64, codec: Option<CompressionCodec>) -> Vec<u8> {
        let batch = |from: i64, to: i64| {
            let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(from..to));
            let names: ArrayRef = Arc::new(StringArray::from_iter(
                (from..to).map(|n| (n % 3 > 0).then(|| format!("ü {n}"))),
            ));
            RecordBatch::try_from_iter_with_nullable([("id", ids, false), ("name", names, true)]).unwrap()
        };
        let schema = batch(0, 1).schema();
        let mut writer = WriterBuilder::new(schema.as_ref().clone())
            .with_compression(codec)
            .build::<_, AvroOcfFormat>(vec![])
            .unwrap();
        for from in (0..rows).step_by(1_000) {
            writer.write(&batch(from, rows.min(from + 1_000))).unwrap();
        }
        writer.finish().unwrap();
        writer.into_inner()
    }

    #[tokio::test]
    async fn blocks_are_read_however_they_are_compressed() {
        for codec in [
            None,
            Some(CompressionCodec::Deflate),
            Some(CompressionCodec::Snappy),
            Some(CompressionCodec::ZStandard),
            Some(CompressionCodec::Bzip2),
            Some(CompressionCodec::Xz),
        ] {
            let rows = read_table(&Avro, file(2_500, codec)).await.unwrap();
            assert_eq!(rows.len(), 2_500, "{codec:?}");
            assert_eq!(
                declared_rows(&Avro, file(2_500, codec)).await.unwrap(),
                2_500,
                "{codec:?}"
            );
            assert_eq!(
                rows[2_498..],
                [r#"{"id":2498,"name":"ü 2498"}"#, r#"{"id":2499}"#],
                "{codec:?}"
            );
        }
        assert!(read_table(&Avro, file(0, None)).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn blocks_beyond_one_request_are_read() {
        let rows = read_table(&Avro, file(400_000, None)).await.unwrap();
        assert_eq!(rows.len(), 400_000);
        assert_eq!(rows[399_999], r#"{"id":399999}"#);
        assert_eq!(declared_rows(&Avro, file(400_000, None)).await.unwrap(), 400_000);
    }

    /// A number as Avro writes it.
    fn written(n: usize) -> Vec<u8> {
        let (mut left, mut bytes) = (n << 1, vec![]);
        while left > 0x7f {
            bytes.push((left & 0x7f) as u8 | 0x80);
            left >>= 7;
        }
        bytes.push(left as u8);
        bytes
    }

    fn text(text: &[u8]) -> Vec<u8> {
        [written(text.len()), text.to_vec()].concat()
    }

    #[tokio::test]
    async fn unions_are_read_however_many_rows_a_block_has() {
        let schema = br#"{"type":"record","name":"R","fields":[{"name":"v","type":["int","string"]}]}"#;
        let sync = [7_u8; SYNC];
        // A map with the schema, and the mark.
        let head = [
            b"Obj\x01".to_vec(),
            written(1),
            text(b"avro.schema"),
            text(schema),
            vec![0],
            sync.to_vec(),
        ]
        .concat();
        let record = |n: usize| match n % 2 {
            0 => [written(0), written(n)].concat(),
            _ => [written(1), text(b"x")].concat(),
        };
        let records: Vec<u8> = (0..2_500).flat_map(record).collect();
        let block = [written(2_500), written(records.len()), records, sync.to_vec()].concat();
        let rows = read_table(&Avro, [head, block].concat()).await.unwrap();
        assert_eq!(rows.len(), 2_500);
        assert_eq!(rows[2_498..], [r#"{"v":2498}"#, r#"{"v":"x"}"#]);
    }

    #[tokio::test]
    async fn a_file_that_is_cut_off_or_damaged_is_an_error() {
        let whole = file(2_500, None);
        for length in [3, 20, whole.len() / 2, whole.len() - 1] {
            read_table(&Avro, whole[..length].to_vec()).await.unwrap_err();
            declared_rows(&Avro, whole[..length].to_vec()).await.unwrap_err();
        }
        let mut damaged = whole.clone();
        let last = damaged.len() - 1;
        damaged[last] ^= 1;
        let error = read_table(&Avro, damaged).await.unwrap_err();
        assert!(error.to_string().contains("mark"), "{error}");
    }

    #[test]
    fn numbers_are_in_groups_of_seven_bits() {
        assert_eq!(number(&[0x00]).unwrap(), Some((0, 1)));
        assert_eq!(number(&[0xd8, 0x04, 9]).unwrap(), Some((300, 2)));
        assert_eq!(number(&[0xd8]).unwrap(), None);
        assert_eq!(number(&[]).unwrap(), None);
        number(&[0x01]).unwrap_err();
        number(&[0xff; 11]).unwrap_err();
    }
}
