//! A look at files: their first bytes, to find out what they are, and their first records. Reads no more than that, so it
//! takes the same time for small and large files.

use std::panic::AssertUnwindSafe;

use datafusion::common::exec_err;
use datafusion::error::DataFusionError;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use object_store::ObjectStoreExt;

use super::codec::{Codec, Kind, bytes_of, is_damage, peek, store_error};
use super::files_source::FilesSource;
use super::listing::{Listed, Scope};
use crate::sources::formats::{Layout, Rows, Start, TableFile, TableFormat, TextFormat, add_rows};
use crate::sources::{Head, SourceError, values};

/// How much of a file tells what it is.
const HEAD_BYTES: usize = 256 << 10;
/// How many files are looked at.
const FILES: usize = 24;
/// The number of files open at a time.
const AT_ONCE: usize = 8;
/// How much text is read to find records, in all files.
const SAMPLE_BYTES: usize = 16 << 20;
/// Every file has this ending.
const ANY: [&str; 1] = [""];

/// The beginning of a text.
struct Beginning {
    codec: Codec,
    text: Vec<u8>,
    is_whole: bool,
}

impl FilesSource {
    /// The beginnings of its files, whatever their extensions.
    pub(super) async fn heads_of_files(&self) -> Result<Vec<Head>, SourceError> {
        let scope = &self.scope().await?;
        let files = &spread(self.listing_in(scope, &ANY).await?);
        let heads = stream::iter(0..files.len()).map(|index| async move {
            let head = self.head(&files[index], scope).await;
            head.map_err(|error| self.failed(&files[index].place, &error))
        });
        heads.buffered(AT_ONCE).try_collect().await
    }

    async fn head(&self, file: &Listed, scope: &Scope) -> Result<Head, DataFusionError> {
        let beginning = self.beginning(file, HEAD_BYTES).await?;
        let size = file.meta.size;
        let last = match beginning.is_whole {
            true => beginning.text.last().copied(),
            false => {
                let last = self.store.get_range(&file.meta.location, size - 1..size).await?;
                last.first().copied()
            }
        };
        Ok(Head {
            place: file.place.clone(),
            below: scope.below(&file.meta.location),
            size,
            is_ended: beginning.codec != Codec::Plain || last.is_none_or(|byte| byte == b'\n'),
            text: beginning.text,
        })
    }

    /// The first bytes of a file, decompressed; a few more than asked for, or all of them.
    async fn beginning(&self, file: &Listed, most: usize) -> Result<Beginning, DataFusionError> {
        let path = &file.meta.location;
        let (first, bytes) = peek(bytes_of(&*self.store, path, 0..file.meta.size).await?).await?;
        let codec = match Kind::of(&*self.config.format, path, &first) {
            Kind::Text(codec) if !first.is_empty() => codec,
            _ => Codec::Plain,
        };
        let (mut chunks, mut text) = (codec.text(bytes), vec![]);
        while text.len() < most {
            match chunks.try_next().await {
                Ok(Some(chunk)) => text.extend_from_slice(&chunk),
                Err(error) if !is_damage(&error) => return Err(error),
                Ok(None) | Err(_) => {
                    return Ok(Beginning {
                        codec,
                        text,
                        is_whole: true,
                    });
                }
            }
        }
        Ok(Beginning {
            codec,
            is_whole: codec == Codec::Plain && text.len() as u64 >= file.meta.size,
            text,
        })
    }

    /// The values of the first records of its files, at most this many.
    pub(super) async fn sample_of_files(&self, most: usize) -> Result<Vec<Vec<u8>>, SourceError> {
        let files = spread(self.listing().await?);
        let mut found = vec![];
        for (place, file) in files.iter().enumerate() {
            let left = files.len() - place;
            let wanted = (most - found.len()).div_ceil(left);
            match self.first_records(file, wanted, SAMPLE_BYTES / files.len()).await {
                Ok(records) => found.extend(records),
                Err(error) if store_error(&error).is_none() => {
                    self.warn(format!("{} is not looked at: {}", file.place, error.message()));
                }
                Err(error) => return Err(self.failed(&file.place, &error)),
            }
        }
        Ok(found)
    }

    async fn first_records(&self, file: &Listed, most: usize, bytes: usize) -> Result<Vec<Vec<u8>>, DataFusionError> {
        let mut rows = Rows::new(None, Some(most));
        rows.begin(&file.place, 1, 0);
        match self.config.format.layout() {
            Layout::Text(format) => self.first_texts(file, format, bytes, &mut rows).await?,
            Layout::Table(format) => {
                // Libraries may panic on a damaged file.
                let read = AssertUnwindSafe(self.first_rows(file, format, &mut rows)).catch_unwind();
                read.await.unwrap_or_else(|_| exec_err!("it is damaged"))?;
            }
        }
        Ok(values(&rows.finish()?))
    }

    async fn first_texts(
        &self,
        file: &Listed,
        format: &dyn TextFormat,
        bytes: usize,
        rows: &mut Rows,
    ) -> Result<(), DataFusionError> {
        let Beginning { text, is_whole, .. } = self.beginning(file, bytes.max(HEAD_BYTES)).await?;
        // A record that was cut off says nothing.
        let end = match is_whole {
            true => text.len(),
            false => format.ends().last_end(&text).unwrap_or_default(),
        };
        let text = &text[..end];
        let mut counter = format.counter(Start::default());
        counter.update(text);
        counter.end();
        if let Some(reason) = counter.refused() {
            return exec_err!("{reason}");
        }
        let head = match format.has_head() {
            true => format.ends().next_end(text).unwrap_or(text.len()),
            false => 0,
        };
        let start = usize::try_from(counter.count().start).unwrap_or(end).min(end);
        let mut splitter = format.splitter(&text[..head]);
        if splitter.feed(&text[start..], rows)? {
            splitter.end(rows)?;
        }
        Ok(())
    }

    async fn first_rows(
        &self,
        file: &Listed,
        format: &dyn TableFormat,
        rows: &mut Rows,
    ) -> Result<(), DataFusionError> {
        let table = TableFile::new(self.store.clone(), file.meta.location.clone(), file.meta.size, None);
        let mut batches = format.batches(table);
        while rows.are_wanted() && !rows.is_full() {
            let Some(batch) = batches.try_next().await? else { break };
            add_rows(&batch, 0, rows)?;
        }
        Ok(())
    }
}

/// At most [`FILES`] of the files that are not empty, from the first to the last.
fn spread(mut files: Vec<Listed>) -> Vec<Listed> {
    files.retain(|file| file.meta.size > 0);
    let all = files.len();
    match all <= FILES {
        true => files,
        false => (0..FILES)
            .map(|place| files[place * (all - 1) / (FILES - 1)].clone())
            .collect(),
    }
}
