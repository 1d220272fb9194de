//! Opens files that hold a table, counts their rows, and compares them with what was read. Such files are written as a
//! whole: a file is what was read before, or it is another one.
//!
//! A damaged table is not read at all. To be sure that it is whole, all of it must be decoded. If the caller does not
//! mind that the scan finds damage, the number that the file itself has is enough.

use std::ops::RangeInclusive;
use std::panic::AssertUnwindSafe;

use clickrec_udfs::json_rows::check_rows;
use datafusion::error::DataFusionError;
use futures::FutureExt;
use object_store::ObjectStoreExt;

use super::codec::{Codec, Kind, store_error};
use super::compare::{MAGIC_BYTES, Seen};
use super::decoding::Decoding;
use super::files_source::FilesSource;
use super::fingerprint::{Fingerprint, WHOLE};
use super::listing::Listed;
use super::pass::{Checkpoint, Mark, Pass, Print};
use crate::sources::formats::{Batches, Count, TableFile, TableFormat};

const COMPRESSED: &str = "compressed; decompress it: files of this format are compressed inside";
/// The numbers of rows that a file is believed to have. There may be rows in a file that says it has none.
const CREDIBLE: RangeInclusive<u64> = 1..=1 << 40;

impl FilesSource {
    /// Inspects a file: how many rows it has, or says that it has if it is trusted, and which of the checkpoints it is.
    pub(super) async fn table(
        &self,
        file: &Listed,
        format: &dyn TableFormat,
        checkpoints: &[Checkpoint],
        is_trusted: bool,
    ) -> Result<Seen, DataFusionError> {
        let (path, size) = (&file.meta.location, file.meta.size);
        if size == 0 {
            return Ok(Seen::Records(Codec::Plain, Pass::nothing(0)));
        }
        let first = self.store.get_range(path, 0..size.min(MAGIC_BYTES)).await?;
        match Kind::of(&*self.config.format, path, &first) {
            Kind::Text(Codec::Plain) => {}
            Kind::Text(_) => return Ok(Seen::Foreign(COMPRESSED)),
            Kind::Foreign(what) => return Ok(Seen::Foreign(what)),
        }
        let pass = match self.counted(file, format, is_trusted).await {
            Err(error) if is_changed(&error) => Pass::nothing(size),
            pass => pass?,
        };
        Ok(Seen::Records(Codec::Plain, with_marks(pass, checkpoints)))
    }

    /// Checks whether a file is still what was read.
    pub(super) async fn compared_table(&self, file: &Listed, checkpoint: Checkpoint) -> Result<Seen, DataFusionError> {
        let size = file.meta.size;
        let mut pass = Pass::nothing(size);
        if checkpoint.length == size {
            (pass.end, pass.content) = (size, self.content(file).await?);
        }
        Ok(Seen::Records(Codec::Plain, with_marks(pass, &[checkpoint])))
    }

    /// Counts the rows.
    async fn counted(
        &self,
        file: &Listed,
        format: &dyn TableFormat,
        is_trusted: bool,
    ) -> Result<Pass, DataFusionError> {
        let (path, size) = (&file.meta.location, file.meta.size);
        let now = self.store.head(path).await?;
        if now.size != size {
            return Ok(Pass::nothing(size));
        }
        let content = self.content(file).await?;
        let table = TableFile::new(self.store.clone(), path.clone(), size, now.e_tag.clone());
        // Without a tag, the scan could not tell damage from another version.
        let is_trusted = is_trusted && now.e_tag.is_some() && !self.is_doubted(&file.place);
        let declared = match is_trusted {
            true => declared(format, table.clone()).await?,
            false => None,
        };
        let rows = match declared {
            Some(rows) => Ok(rows),
            None => decoded(format.batches(table)).await,
        };
        let rows = match rows {
            Ok(rows) => rows,
            Err(error) if store_error(&error).is_some() => return Err(error),
            Err(error) => {
                self.doubt(&file.place);
                return Ok(Pass {
                    damage: Some(error.message().into_owned()),
                    ..Pass::nothing(size)
                });
            }
        };
        let mark = Mark {
            count: Count::of_rows(rows),
            ..Mark::at(None, 0, 0)
        };
        Ok(Pass {
            marks: vec![mark],
            end: size,
            content,
            tag: now.e_tag,
            ..Pass::nothing(size)
        })
    }

    /// Identifies the content of a file.
    async fn content(&self, file: &Listed) -> Result<i64, DataFusionError> {
        let size = file.meta.size;
        if size > WHOLE {
            return self.fingerprint(file, size).await;
        }
        let mut print = Fingerprint::default();
        print.update(&self.store.get_range(&file.meta.location, 0..size).await?);
        Ok(print.value())
    }
}

/// The number of rows that a file says it has; `None` if it is not credible.
async fn declared(format: &dyn TableFormat, file: TableFile) -> Result<Option<u64>, DataFusionError> {
    // Libraries may panic on a damaged file, which must not keep the others from being read.
    match AssertUnwindSafe(format.rows(file)).catch_unwind().await {
        Ok(Ok(rows)) => Ok(Some(rows).filter(|rows| CREDIBLE.contains(rows))),
        Ok(Err(error)) if store_error(&error).is_some() => Err(error),
        _ => Ok(None),
    }
}

/// Reads all rows, to count them and to see that they can be read.
async fn decoded(batches: Batches) -> Result<u64, DataFusionError> {
    let (mut batches, mut rows) = (Decoding::start(batches), 0);
    while let Some(batch) = batches.next().await? {
        check_rows(&batch)?;
        rows += batch.num_rows() as u64;
    }
    Ok(rows)
}

/// Adds the checkpoints that the whole file is.
fn with_marks(mut pass: Pass, checkpoints: &[Checkpoint]) -> Pass {
    let is_all = |checkpoint: &&Checkpoint| {
        pass.end > 0 && checkpoint.length == pass.end && checkpoint.print == Print::Content(pass.content)
    };
    let known = checkpoints.iter().filter(is_all);
    let known: Vec<Mark> = known
        .map(|known| Mark::at(Some(known.id), pass.end, pass.content))
        .collect();
    pass.marks.extend(known);
    pass
}

/// Whether a file was replaced while it was read: it may still be being written.
fn is_changed(error: &DataFusionError) -> bool {
    matches!(store_error(error), Some(object_store::Error::Precondition { .. }))
}
