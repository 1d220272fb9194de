//! Opens files and compares them with what was read: whether a file still begins with that and has grown, whether a new
//! one begins with the text of a renamed or rotated log (`copytruncate`: the copy does, and the emptied log no longer
//! does), and whether two files are copies. For a large file, it compares samples (`appended`).

use bytes::Bytes;
use datafusion::error::DataFusionError;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectStoreExt;

use super::codec::{Chunks, Codec, Kind, bytes_of, is_damage, peek};
use super::files_source::FilesSource;
use super::fingerprint::{Fingerprint, WHOLE};
use super::listing::Listed;
use super::pass::{Checkpoint, HEAD_BYTES, Mark, Pass, Passing, Print, head};
use super::read_so_far::ReadSoFar;
use crate::sources::SourceError;
use crate::sources::formats::{Ends, Layout, Start, TextFormat};

/// The number of files open at a time.
pub(super) const AT_ONCE: usize = 16;
/// How much of a record without its end is kept when two files are compared.
const REST_BYTES_MAX: usize = 1 << 20;
/// Enough bytes to find a head.
const HEAD_BYTES_MAX: u64 = 64 << 10;
/// Enough bytes to recognize what a file is.
pub(super) const MAGIC_BYTES: u64 = 16;

/// What a file contains.
pub(super) enum Seen {
    /// Records.
    Records(Codec, Pass),
    /// Something else, described.
    Foreign(&'static str),
}

/// How the text of one file relates to that of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Likeness {
    /// They differ.
    Other,
    /// The same, as far as it goes.
    Beginning,
    /// The same up to the end of the last record.
    Same,
}

impl FilesSource {
    /// Checks whether files still begin with what was read from them, and what follows. The only checkpoint has ID 0.
    pub(super) async fn look_again(
        &self,
        files: &[Listed],
        states: &[ReadSoFar],
        which: Vec<usize>,
    ) -> Result<Vec<(usize, Seen)>, SourceError> {
        let looks = stream::iter(which).map(|index| async move {
            let seen = self.compared(&files[index], states[index]).await;
            let seen = seen.map_err(|error| self.failed(&files[index].place, &error))?;
            Ok((index, seen))
        });
        looks.buffered(AT_ONCE).try_collect().await
    }

    /// Inspects files: what they contain, and which of the checkpoints they begin with. Tables may be trusted, as
    /// [`ReadOptions`](crate::sources::ReadOptions) says.
    pub(super) async fn look(
        &self,
        files: &[Listed],
        which: Vec<usize>,
        checkpoints: &[Checkpoint],
        trusts_files: bool,
    ) -> Result<Vec<(usize, Seen)>, SourceError> {
        let looks = stream::iter(which).map(|index| async move {
            let seen = self.whole(&files[index], checkpoints, trusts_files).await;
            let seen = seen.map_err(|error| self.failed(&files[index].place, &error))?;
            Ok((index, seen))
        });
        looks.buffered(AT_ONCE).try_collect().await
    }

    async fn whole(
        &self,
        file: &Listed,
        checkpoints: &[Checkpoint],
        trusts_files: bool,
    ) -> Result<Seen, DataFusionError> {
        match self.config.format.layout() {
            Layout::Text(format) => self.whole_text(file, format, checkpoints).await,
            Layout::Table(format) => self.table(file, format, checkpoints, trusts_files).await,
        }
    }

    async fn compared(&self, file: &Listed, read: ReadSoFar) -> Result<Seen, DataFusionError> {
        let checkpoint = Checkpoint {
            length: read.bytes,
            print: read.print.unwrap_or(Print::Content(0)),
            id: 0,
            is_sought: true,
        };
        match self.config.format.layout() {
            Layout::Text(format) => self.compared_text(file, format, checkpoint).await,
            Layout::Table(_) => self.compared_table(file, checkpoint).await,
        }
    }

    async fn whole_text(
        &self,
        file: &Listed,
        format: &dyn TextFormat,
        checkpoints: &[Checkpoint],
    ) -> Result<Seen, DataFusionError> {
        let path = &file.meta.location;
        let (first, bytes) = peek(bytes_of(&*self.store, path, 0..file.meta.size).await?).await?;
        let codec = match Kind::of(&*self.config.format, path, &first) {
            _ if first.is_empty() => Codec::Plain,
            Kind::Text(codec) => codec,
            Kind::Foreign(what) => return Ok(Seen::Foreign(what)),
        };
        let passing = Passing::whole(format, checkpoints);
        let is_final = codec != Codec::Plain || !self.config.growing;
        Ok(Seen::Records(codec, passing.run(codec.text(bytes), is_final).await?))
    }

    async fn compared_text(
        &self,
        file: &Listed,
        format: &dyn TextFormat,
        checkpoint: Checkpoint,
    ) -> Result<Seen, DataFusionError> {
        let read = checkpoint.length;
        match checkpoint.print {
            Print::Content(content) if read > WHOLE && self.is_plain(file).await? => {
                self.appended(file, format, read, content).await
            }
            Print::Content(_) => self.whole_text(file, format, &[checkpoint]).await,
            Print::Head { hash, lines } => match self.whole_text(file, format, &[checkpoint]).await? {
                // Older versions hashed and counted the raw bytes of a compressed file, not those of its text.
                Seen::Records(codec, _) if codec != Codec::Plain => {
                    self.lines_skipped(file, format, codec, (read, hash, lines)).await
                }
                seen => Ok(seen),
            },
        }
    }

    async fn is_plain(&self, file: &Listed) -> Result<bool, DataFusionError> {
        let path = &file.meta.location;
        let first = self.store.get_range(path, 0..file.meta.size.min(MAGIC_BYTES)).await?;
        Ok(Kind::of(&*self.config.format, path, &first) == Kind::Text(Codec::Plain))
    }

    /// For a large file: rereads samples of what was read, and everything that follows.
    async fn appended(
        &self,
        file: &Listed,
        format: &dyn TextFormat,
        read: u64,
        content: i64,
    ) -> Result<Seen, DataFusionError> {
        let (path, size) = (&file.meta.location, file.meta.size);
        if size < read || self.fingerprint(file, read).await? != content {
            return Ok(Seen::Records(Codec::Plain, Pass::nothing(size)));
        }
        let last = self.store.get_range(path, read - 1..read).await?;
        let start = Start {
            at: read,
            continues: last.first() != Some(&b'\n'),
            skip: 0,
        };
        let mark = Mark {
            refused: self.refused(file, format).await?,
            ..Mark::at(Some(0), read, content)
        };
        if mark.refused.is_some() {
            let pass = Pass {
                marks: vec![mark],
                ..Pass::nothing(size)
            };
            return Ok(Seen::Records(Codec::Plain, pass));
        }
        let bytes = bytes_of(&*self.store, path, read..size).await?;
        let passing = Passing::from(format, mark, start, &[]);
        let mut pass = passing.run(bytes, !self.config.growing).await?;
        pass.content = self.fingerprint(file, pass.end).await?;
        Ok(Seen::Records(Codec::Plain, pass))
    }

    /// Why the head of a plain file is none: its format may have other options than when the file was read.
    async fn refused(&self, file: &Listed, format: &dyn TextFormat) -> Result<Option<String>, DataFusionError> {
        if !format.has_head() {
            return Ok(None);
        }
        let range = 0..file.meta.size.min(HEAD_BYTES_MAX);
        let beginning = self.store.get_range(&file.meta.location, range).await?;
        let mut counter = format.counter(Start::default());
        counter.update(&beginning);
        Ok(counter.refused())
    }

    /// Identifies the beginning of a file that is longer than [`WHOLE`].
    pub(super) async fn fingerprint(&self, file: &Listed, length: u64) -> Result<i64, DataFusionError> {
        let parts = Fingerprint::parts(length);
        let parts: Vec<Bytes> = self.store.get_ranges(&file.meta.location, &parts).await?;
        Ok(Fingerprint::of_parts(length, &parts))
    }

    /// For a compressed file of which an older version has read a number of bytes, with this hash and number of lines.
    async fn lines_skipped(
        &self,
        file: &Listed,
        format: &dyn TextFormat,
        codec: Codec,
        (bytes, hash, lines): (u64, i64, u64),
    ) -> Result<Seen, DataFusionError> {
        let (path, size) = (&file.meta.location, file.meta.size);
        let first = self
            .store
            .get_range(path, 0..bytes.min(HEAD_BYTES as u64).min(size))
            .await?;
        if size < bytes || head(&first) != hash {
            return Ok(Seen::Records(codec, Pass::nothing(size)));
        }
        let start = Start {
            skip: lines,
            ..Start::default()
        };
        let text = codec.text(bytes_of(&*self.store, path, 0..size).await?);
        let passing = Passing::from(format, Mark::at(Some(0), 0, 0), start, &[]);
        Ok(Seen::Records(codec, passing.run(text, true).await?))
    }

    /// How the text of a file relates to that of another, as far as it can be read.
    pub(super) async fn likeness(
        &self,
        file: &Listed,
        other: &Listed,
        format: &dyn TextFormat,
    ) -> Result<Likeness, SourceError> {
        let compared = self.compare(file, other, format).await;
        compared.map_err(|error| self.failed(&file.place, &error))
    }

    async fn compare(
        &self,
        file: &Listed,
        other: &Listed,
        format: &dyn TextFormat,
    ) -> Result<Likeness, DataFusionError> {
        let (mut a, mut b) = (self.text(file).await?, self.text(other).await?);
        let (mut left, mut right, mut rest) = (Bytes::new(), Bytes::new(), Rest::new(format));
        loop {
            if left.is_empty() {
                left = next(&mut a).await?;
            }
            if right.is_empty() {
                right = next(&mut b).await?;
            }
            if left.is_empty() {
                let is_whole = right.is_empty() && (!self.config.growing || rest.is_complete());
                return Ok(if is_whole { Likeness::Same } else { Likeness::Beginning });
            }
            let length = left.len().min(right.len());
            let same = left.split_to(length);
            if length == 0 || same != right.split_to(length) {
                return Ok(Likeness::Other);
            }
            rest.update(&same);
        }
    }

    async fn text(&self, file: &Listed) -> Result<Chunks, DataFusionError> {
        let path = &file.meta.location;
        let (first, bytes) = peek(bytes_of(&*self.store, path, 0..file.meta.size).await?).await?;
        Ok(match Kind::of(&*self.config.format, path, &first) {
            Kind::Text(codec) if !first.is_empty() => codec.text(bytes),
            _ => bytes,
        })
    }
}

/// The text after the last record that has ended.
struct Rest<'a> {
    format: &'a dyn TextFormat,
    ends: Box<dyn Ends>,
    /// No more than [`REST_BYTES_MAX`] and a chunk: a longer record counts as incomplete.
    text: Vec<u8>,
}

impl<'a> Rest<'a> {
    fn new(format: &'a dyn TextFormat) -> Self {
        Self {
            format,
            ends: format.ends(),
            text: vec![],
        }
    }

    fn update(&mut self, chunk: &[u8]) {
        let end = self.ends.last_end(chunk);
        if end.is_some() {
            self.text.clear();
        }
        if self.text.len() <= REST_BYTES_MAX {
            self.text.extend_from_slice(&chunk[end.unwrap_or_default()..]);
        }
    }

    fn is_complete(&self) -> bool {
        let is_complete = || self.format.is_complete(&self.text) || self.format.is_closing(&self.text);
        self.text.is_empty() || (self.text.len() <= REST_BYTES_MAX && is_complete())
    }
}

/// The next non-empty chunk; an empty one at the end, or where the file is damaged.
async fn next(text: &mut Chunks) -> Result<Bytes, DataFusionError> {
    loop {
        match text.try_next().await {
            Ok(Some(piece)) if piece.is_empty() => {}
            Ok(piece) => return Ok(piece.unwrap_or_default()),
            Err(error) if is_damage(&error) => return Ok(Bytes::new()),
            Err(error) => return Err(error),
        }
    }
}
