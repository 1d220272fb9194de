//! One pass over the text of a file, before its records are read: counts them up to the last complete one, and checks
//! whether the text begins with known content, as a grown file does, or the copy of a rotated log (`copytruncate`).
//! Damage, and records of more than 256 MiB, end the pass: what comes before is read, and `new_lines` warns. So does a
//! head that the format refuses: of such a file, no more than the head is read.

use std::hash::Hasher;

use datafusion::error::DataFusionError;
use futures::TryStreamExt;
use twox_hash::XxHash64;

use super::codec::{Chunks, is_damage};
use super::fingerprint::{Fingerprint, positive};
use crate::sources::formats::{Count, Counter, Start, TextFormat};

/// A record must fit in memory: a file without line breaks does not contain lines.
pub(super) const RECORD_BYTES_MAX: usize = 256 << 20;
/// Older versions identified a file by this many of its first bytes.
pub(super) const HEAD_BYTES: usize = 1_024;

/// A position in a text up to which it may match known content.
#[derive(Debug, Clone, Copy)]
pub(super) struct Checkpoint {
    /// The length of text in bytes.
    pub length: u64,
    /// Identifies the known content.
    pub print: Print,
    /// Which checkpoint it is.
    pub id: usize,
    /// Whether the content must be somewhere: the file that has its name is another one, or is the one compared.
    pub is_sought: bool,
}

/// What is recorded about a text that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Print {
    /// The [`Fingerprint`].
    Content(i64),
    /// What older versions kept: a hash of the first [`HEAD_BYTES`], and the number of lines.
    Head { hash: i64, lines: u64 },
}

/// A position from which a text may be read on.
pub(super) struct Mark {
    /// The checkpoint that matched; `None` for the beginning.
    pub id: Option<usize>,
    /// The bytes of text before it.
    pub length: u64,
    /// Their fingerprint.
    pub content: i64,
    /// The records from there on.
    pub count: Count,
    /// Why they cannot be read.
    pub refused: Option<String>,
}

impl Mark {
    /// A position without records after it.
    pub fn at(id: Option<usize>, length: u64, content: i64) -> Self {
        Self {
            id,
            length,
            content,
            count: Count::of_rows(0),
            refused: None,
        }
    }
}

/// What a scan found in a text.
pub(super) struct Pass {
    /// Its beginning, and the checkpoints that matched, in order.
    pub marks: Vec<Mark>,
    /// Bytes up to the end of its last complete line.
    pub end: u64,
    /// Their fingerprint.
    pub content: i64,
    /// Total bytes, as far as they can be read, without what only closes the text.
    pub length: u64,
    /// Why the rest cannot be read: the file is damaged or still being written.
    pub damage: Option<String>,
    /// The entity tag of a file that must be read as it is now.
    pub tag: Option<String>,
}

impl Pass {
    /// Nothing can be read, or nothing was read before.
    pub fn nothing(length: u64) -> Self {
        Self {
            marks: vec![Mark::at(None, 0, 0)],
            end: 0,
            content: 0,
            length,
            damage: None,
            tag: None,
        }
    }

    /// Why no records of the file can be read: its head is none.
    pub fn refused(&self) -> Option<&String> {
        self.marks.iter().find_map(|mark| mark.refused.as_ref())
    }
}

/// A scan in progress.
pub(super) struct Passing<'a> {
    format: &'a dyn TextFormat,
    checkpoints: &'a [Checkpoint],
    /// With what counts the records from there on.
    marks: Vec<(Mark, Box<dyn Counter>)>,
    print: Fingerprint,
    /// Where the scanned text starts: the fingerprint covers the text only if this is its beginning.
    from: u64,
    at: u64,
    head: Vec<u8>,
    last: Option<u8>,
}

impl<'a> Passing<'a> {
    /// Scans from the beginning of a text, with checkpoints sorted by length.
    pub fn whole(format: &'a dyn TextFormat, checkpoints: &'a [Checkpoint]) -> Self {
        Self::from(format, Mark::at(None, 0, 0), Start::default(), checkpoints)
    }

    /// Scans from a mark on, and counts from there.
    pub fn from(format: &'a dyn TextFormat, mark: Mark, start: Start, checkpoints: &'a [Checkpoint]) -> Self {
        let from = mark.length;
        Self {
            format,
            checkpoints,
            marks: vec![(mark, format.counter(start))],
            print: Fingerprint::default(),
            from,
            at: from,
            head: vec![],
            last: None,
        }
    }

    /// Scans the text. The part after the last end of a record counts if the text `is_final`, or if that part is
    /// complete.
    pub async fn run(mut self, mut text: Chunks, is_final: bool) -> Result<Pass, DataFusionError> {
        let (mut rest, mut length, mut damage) = (vec![], self.from, None);
        let mut ends = self.format.ends();
        loop {
            let chunk = match text.try_next().await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                Err(error) if is_damage(&error) => {
                    damage = Some(error.strip_backtrace());
                    break;
                }
                Err(error) => return Err(error),
            };
            length += chunk.len() as u64;
            match ends.last_end(&chunk) {
                Some(end) => {
                    self.take(&rest);
                    rest.clear();
                    self.take(&chunk[..end]);
                    rest.extend_from_slice(&chunk[end..]);
                }
                None => rest.extend_from_slice(&chunk),
            }
            if self.is_refused() {
                return Ok(self.done(length, None));
            }
            if rest.len() > RECORD_BYTES_MAX {
                damage = Some(format!("the next record is longer than {} MiB", RECORD_BYTES_MAX >> 20));
                break;
            }
        }
        // Before its head, nothing of a file is complete: what is read on would take the head for a record.
        let may_end = self.at > 0 || !self.format.has_head();
        let closing = match damage.is_none() && self.format.is_closing(&rest) {
            true => rest.len() as u64,
            false => 0,
        };
        if closing == 0 && damage.is_none() && (is_final || (may_end && self.format.is_complete(&rest))) {
            self.take(&rest);
            self.marks.iter_mut().for_each(|(_, counter)| counter.end());
            return Ok(self.done(length, damage));
        }
        let (at, print) = (self.at, self.print.clone());
        self.walk(&rest, false);
        (self.at, self.print) = (at, print);
        Ok(self.done(length - closing, damage))
    }

    /// Whether nothing that may come is of use: the head is none, and no content that must be found is left.
    fn is_refused(&self) -> bool {
        let is_sought = self.checkpoints.iter().any(|checkpoint| checkpoint.is_sought);
        !is_sought && self.marks[0].1.refused().is_some()
    }

    fn done(self, length: u64, damage: Option<String>) -> Pass {
        let counted = |(mark, counter): (Mark, Box<dyn Counter>)| Mark {
            count: counter.count(),
            refused: counter.refused(),
            ..mark
        };
        Pass {
            marks: self.marks.into_iter().map(counted).collect(),
            end: self.at,
            content: self.print.value(),
            length,
            damage,
            tag: None,
        }
    }

    fn take(&mut self, text: &[u8]) {
        self.walk(text, true);
    }

    /// Adds the bytes that follow, stopping at the checkpoints on the way.
    fn walk(&mut self, mut text: &[u8], count: bool) {
        while let Some(next) = self.checkpoints.first()
            && next.length <= self.at + text.len() as u64
        {
            let here = next.length;
            let (before, after) = text.split_at((here - self.at) as usize);
            self.step(before, count);
            text = after;
            let same = self.checkpoints.partition_point(|checkpoint| checkpoint.length == here);
            let (now, later) = self.checkpoints.split_at(same);
            self.checkpoints = later;
            let content = self.print.value();
            let same = now.iter().filter(|checkpoint| self.is_at(checkpoint.print, content));
            let marks: Vec<_> = same.map(|checkpoint| self.mark(checkpoint.id, content)).collect();
            self.marks.extend(marks);
        }
        self.step(text, count);
    }

    fn mark(&self, id: usize, content: i64) -> (Mark, Box<dyn Counter>) {
        let start = Start {
            at: self.at,
            continues: self.last != Some(b'\n'),
            skip: 0,
        };
        (Mark::at(Some(id), self.at, content), self.format.counter(start))
    }

    fn step(&mut self, text: &[u8], count: bool) {
        if self.from == 0 {
            self.print.update(text);
            let missing = HEAD_BYTES - self.head.len();
            self.head.extend_from_slice(&text[..missing.min(text.len())]);
        }
        if count {
            self.marks.iter_mut().for_each(|(_, counter)| counter.update(text));
        }
        self.at += text.len() as u64;
        self.last = text.last().copied().or(self.last);
    }

    fn is_at(&self, print: Print, content: i64) -> bool {
        match print {
            Print::Content(known) => known == content,
            Print::Head { hash, lines } => {
                let counted = self.marks[0].1.count();
                let begun = u64::from(self.last != Some(b'\n'));
                hash == head(&self.head) && lines == counted.lines + begun
            }
        }
    }
}

/// How older versions identified a file: by a hash of its first bytes.
pub(super) fn head(bytes: &[u8]) -> i64 {
    let mut hash = XxHash64::with_seed(0);
    hash.write(bytes);
    positive(hash.finish())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use bytes::Bytes;
    use datafusion::common::exec_datafusion_err;
    use futures::{StreamExt, stream};

    use super::*;
    use crate::sources::formats::{FormatOptions, Layout, format};

    /// A pass over a text without a header, whose second chunk cannot be read.
    async fn pass(checkpoints: &[Checkpoint]) -> Result<Pass, DataFusionError> {
        let csv = format("csv", &FormatOptions::default()).unwrap().unwrap();
        let Layout::Text(csv) = csv.layout() else {
            panic!("CSV is text");
        };
        let first = Bytes::from_static(b"1,2026-03-01\n2,2026-03-02\n");
        let text = stream::iter([Ok(first), Err(exec_datafusion_err!("read on"))]);
        Passing::whole(csv, checkpoints).run(text.boxed(), true).await
    }

    fn checkpoint(is_sought: bool) -> Checkpoint {
        Checkpoint {
            length: 1_000,
            print: Print::Content(1),
            id: 0,
            is_sought,
        }
    }

    #[tokio::test]
    async fn a_file_without_its_header_is_not_read_on() {
        assert!(pass(&[]).await.unwrap().refused().unwrap().contains("header: false"));
        assert!(pass(&[checkpoint(false)]).await.unwrap().refused().is_some());
        let error = pass(&[checkpoint(true)]).await.err().unwrap();
        assert!(error.to_string().contains("read on"), "what must be found may follow");
    }
}
