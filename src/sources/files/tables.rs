//! Opens files that hold a table, counts their rows, and compares them with what was read. Such files are written as a
//! whole: a file is what was read before, or it is another one.

use std::panic::AssertUnwindSafe;

use clickrec_udfs::json_rows::check_rows;
use datafusion::common::exec_err;
use datafusion::error::DataFusionError;
use futures::{FutureExt, TryStreamExt};
use object_store::ObjectStoreExt;

use super::codec::{Codec, Kind, store_error};
use super::compare::{MAGIC_BYTES, Seen};
use super::files_source::FilesSource;
use super::fingerprint::{Fingerprint, WHOLE};
use super::listing::Listed;
use super::pass::{Checkpoint, Mark, Pass, Print};
use crate::sources::formats::{Count, TableFile, TableFormat};

const COMPRESSED: &str = "compressed; decompress it: files of this format are compressed inside";

impl FilesSource {
    /// Inspects a file: how many rows it has, and which of the checkpoints it is.
    pub(super) async fn table(
        &self,
        file: &Listed,
        format: &dyn TableFormat,
        checkpoints: &[Checkpoint],
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
        let pass = match self.counted(file, format).await {
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

    /// Reads all rows, to count them and to see that they can be read.
    async fn counted(&self, file: &Listed, format: &dyn TableFormat) -> Result<Pass, DataFusionError> {
        let (path, size) = (&file.meta.location, file.meta.size);
        let now = self.store.head(path).await?;
        if now.size != size {
            return Ok(Pass::nothing(size));
        }
        let content = self.content(file).await?;
        let table = TableFile::new(self.store.clone(), path.clone(), size, now.e_tag.clone());
        // Libraries may panic on a damaged file, which must not keep the others from being read.
        let counted = AssertUnwindSafe(rows(format, table)).catch_unwind().await;
        let rows = match counted.unwrap_or_else(|_| exec_err!("it is damaged")) {
            Ok(rows) => rows,
            Err(error) if store_error(&error).is_some() => return Err(error),
            Err(error) => {
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

async fn rows(format: &dyn TableFormat, file: TableFile) -> Result<u64, DataFusionError> {
    let mut batches = format.batches(file);
    let mut rows = 0;
    while let Some(batch) = batches.try_next().await? {
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
