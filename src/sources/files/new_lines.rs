//! Finds what is new in the files: which have grown, which are new, and which only continue a text that was read under
//! another name (`rotation`: renamed, rotated, `copytruncate`). Warns of last lines that stay incomplete and of damaged
//! files.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use super::codec::Codec;
use super::compare::Seen;
use super::copies::Copies;
use super::file_range::FileRange;
use super::files_source::FilesSource;
use super::listing::Listed;
use super::pass::{Mark, Pass, Print};
use super::read_so_far::{Known, ReadSoFar};
use super::rotation::{self, Displaced};
use crate::sources::formats::Layout;
use crate::sources::{OnLoss, Positions, ReadOptions, SourceError};

/// A last line that has been incomplete for this long is worth a warning.
const SETTLED: Duration = Duration::from_secs(5 * 60);

/// What is new in a source's files.
#[derive(Default)]
pub(super) struct NewLines {
    reads: Vec<Read>,
    /// Known names that are now free for another file.
    moved: Vec<(String, ReadSoFar)>,
    /// Files to skip for now.
    left_out: BTreeSet<usize>,
    /// A name now belongs to another file, or a loss was accepted: this must be committed before that file disappears
    /// too.
    pub renamed: bool,
    /// Bytes that were reread for nothing; once that is committed, they need not be reread again.
    pub read_again: u64,
}

/// A file that was opened, and where its new lines start.
struct Read {
    file: usize,
    codec: Codec,
    pass: Pass,
    mark: Mark,
    /// The number of the previous line.
    line: u64,
    /// Another file has the same records.
    is_copy: bool,
}

impl NewLines {
    /// Checks all files, and opens those whose metadata has changed.
    pub async fn find(
        source: &FilesSource,
        files: &[Listed],
        known: &Known,
        options: ReadOptions,
    ) -> Result<Self, SourceError> {
        let mut new = Self::default();
        let states: Vec<ReadSoFar> = files.iter().map(|file| known.get(&file.place)).collect();
        let changed = (0..files.len()).filter(|index| !states[*index].is_told_by(files[*index].stamp));
        let (again, mut fresh): (Vec<usize>, Vec<usize>) = changed.partition(|index| states[*index].bytes > 0);
        let mut displaced = rotation::absent(files, known);
        for (index, seen) in source.look_again(files, &states, again).await? {
            match seen {
                Seen::Records(codec, mut pass) if pass.marks.iter().any(|mark| mark.id.is_some()) => {
                    let refused = pass.refused().cloned();
                    if let Some(mark) = pass.marks.pop() {
                        new.add(index, codec, pass, Mark { refused, ..mark }, states[index].lines);
                    }
                }
                _ => {
                    fresh.push(index);
                    displaced.push(Displaced {
                        place: files[index].place.clone(),
                        read: states[index],
                        by: Some(index),
                    });
                }
            }
        }
        let copies = Copies::find(source, files, fresh.clone()).await?;
        new.left_out = copies.growing;
        fresh.retain(|index| !new.left_out.contains(index));
        fresh.sort_unstable();
        let checkpoints = rotation::checkpoints(&displaced);
        let seen = source.look(files, fresh, &checkpoints, options.trusts_files).await?;
        let claims = new.take_new(source, files, &states, &displaced, seen);
        for read in new.reads.iter_mut().filter(|read| copies.whole.contains(&read.file)) {
            read.is_copy = true;
        }
        new.renamed = !claims.is_empty();
        new.check(files, &states, &displaced, &claims, options.on_loss)?;
        new.warn(source, files);
        Ok(new)
    }

    fn add(&mut self, file: usize, codec: Codec, pass: Pass, mark: Mark, line: u64) {
        self.reads.push(Read {
            file,
            codec,
            pass,
            mark,
            line,
            is_copy: false,
        });
    }

    /// Adds files whose names are new or belonged to others. They are read from the beginning, or from where reading
    /// stopped in a file that has disappeared from its own name. Returns which file continues which displaced text.
    fn take_new(
        &mut self,
        source: &FilesSource,
        files: &[Listed],
        states: &[ReadSoFar],
        displaced: &[Displaced],
        seen: Vec<(usize, Seen)>,
    ) -> BTreeMap<usize, usize> {
        let mut texts = vec![];
        for (index, seen) in seen {
            match seen {
                Seen::Records(codec, pass) => texts.push((index, codec, pass)),
                Seen::Foreign(what) => {
                    source.warn(format!("{} is not read: it is {what}", files[index].place));
                    self.left_out.insert(index);
                }
            }
        }
        let claims = rotation::claims(&texts);
        for (index, _, pass) in &texts {
            // What continues a known text is recorded, although nothing of it is read now.
            let is_known = claims.values().any(|claimant| claimant == index);
            if let Some(reason) = pass.refused().filter(|_| !is_known) {
                source.warn(format!("{} is not read: {reason}", files[*index].place));
                self.left_out.insert(*index);
            }
        }
        for (index, codec, mut pass) in texts {
            if self.left_out.contains(&index) {
                continue;
            }
            let claim = claims.iter().find(|(_, claimant)| **claimant == index);
            let displaced = claim.map(|(id, _)| (*id, &displaced[*id]));
            let mark = pass
                .marks
                .iter()
                .position(|mark| mark.id == displaced.map(|(id, _)| id));
            let refused = pass.refused().cloned();
            let mark = pass.marks.swap_remove(mark.unwrap_or_default());
            let mark = Mark { refused, ..mark };
            let mut line = states[index].lines;
            if let Some((_, Displaced { place, read, by })) = displaced {
                tracing::info!(
                    "{} was formerly {place}; reading continues where it stopped",
                    files[index].place
                );
                line = line.max(read.lines);
                // The file that has the name now records how far it was read, unless it is skipped.
                if by.is_none_or(|by| self.left_out.contains(&by)) {
                    self.moved.push((place.clone(), free(read)));
                }
            }
            self.add(index, codec, pass, mark, line);
        }
        claims
    }

    /// Refuses what was replaced or truncated, unless that is accepted: the file is then read from its first line.
    fn check(
        &mut self,
        files: &[Listed],
        states: &[ReadSoFar],
        displaced: &[Displaced],
        claims: &BTreeMap<usize, usize>,
        on_loss: OnLoss,
    ) -> Result<(), SourceError> {
        for (gone, by) in rotation::lost(states, displaced, claims) {
            let lost = gone.lost_to(&files[by]);
            if on_loss == OnLoss::Refuse {
                return Err(lost);
            }
            tracing::warn!("{lost}\n  accepted: reading the file from its first line");
            self.renamed = true;
            if self.left_out.contains(&by) {
                self.moved.push((gone.place.clone(), free(&gone.read)));
            }
        }
        Ok(())
    }

    /// Warns about what is left unread.
    fn warn(&mut self, source: &FilesSource, files: &[Listed]) {
        for read in &self.reads {
            let file = &files[read.file];
            let (place, left) = (&file.place, read.pass.length.saturating_sub(read.bytes()));
            if let Some(reason) = &read.mark.refused {
                source.warn(format!("{place} is not read beyond line {}: {reason}", read.line));
                continue;
            }
            match (&read.pass.damage, source.config.format.layout()) {
                (Some(reason), Layout::Text(_)) => source.warn(format!(
                    "{place} cannot be read beyond line {}: {reason}; the rest is skipped until the file changes",
                    read.line + read.lines()
                )),
                (Some(reason), Layout::Table(_)) => {
                    source.warn(format!("{place} is not read until it changes: {reason}"));
                }
                (None, Layout::Text(format)) if left > 0 && is_settled(file) => {
                    source.warn(format.unfinished(place, left));
                }
                _ => {}
            }
            if read.records() == 0 && read.next(file.stamp).is_told_by(file.stamp) {
                self.read_again += file.meta.size;
            }
        }
    }

    /// How many files were opened.
    #[cfg(test)]
    pub fn opened(&self) -> usize {
        self.reads.len()
    }

    /// What to read, and how to name the records.
    pub fn file_ranges(&self, files: &[Listed], found_us: i64) -> Vec<FileRange> {
        let reads = self.reads.iter().filter(|read| read.records() > 0);
        let range = |read: &Read| {
            let (file, count) = (&files[read.file], read.mark.count);
            FileRange {
                path: file.meta.location.clone(),
                name: file.place.clone(),
                codec: read.codec,
                size: file.meta.size,
                text: count.start..read.pass.end,
                records: read.records(),
                first_line: read.line + 1,
                hash: count.hash,
                tag: read.pass.tag.clone(),
                found_us,
            }
        };
        reads.map(range).collect()
    }

    /// How far the files will have been read afterward.
    pub fn positions(&self, files: &[Listed], known: &Known) -> Positions {
        let mut next: BTreeMap<&String, ReadSoFar> = BTreeMap::new();
        for (index, file) in files.iter().enumerate() {
            if !self.left_out.contains(&index) {
                next.insert(&file.place, known.get(&file.place));
            }
        }
        next.extend(self.moved.iter().map(|(place, read)| (place, *read)));
        for read in &self.reads {
            let file = &files[read.file];
            next.insert(&file.place, read.next(file.stamp));
        }
        next.into_iter()
            .flat_map(|(place, read)| read.positions(place))
            .collect()
    }
}

impl Read {
    /// Whether reading stays where it is.
    fn stays(&self) -> bool {
        self.mark.refused.is_some() || self.pass.end < self.mark.length
    }

    fn lines(&self) -> u64 {
        if self.stays() { 0 } else { self.mark.count.lines }
    }

    fn records(&self) -> u64 {
        match self.is_copy || self.stays() {
            true => 0,
            false => self.mark.count.records,
        }
    }

    /// The bytes of its text that will have been read.
    fn bytes(&self) -> u64 {
        if self.stays() { self.mark.length } else { self.pass.end }
    }

    fn next(&self, stamp: i64) -> ReadSoFar {
        let content = if self.stays() {
            self.mark.content
        } else {
            self.pass.content
        };
        // A file with an incomplete last line is checked again, so that the line is not forgotten; and one whose header
        // is none now, because the options may change.
        let waits = self.mark.refused.is_some() || (self.pass.damage.is_none() && self.bytes() < self.pass.length);
        ReadSoFar {
            lines: self.line + self.lines(),
            bytes: self.bytes(),
            print: Some(Print::Content(content)),
            stamp: if waits { 0 } else { stamp },
        }
    }
}

/// Frees a name for another file, whose line numbers continue from there.
fn free(read: &ReadSoFar) -> ReadSoFar {
    ReadSoFar {
        lines: read.lines,
        ..ReadSoFar::default()
    }
}

fn is_settled(file: &Listed) -> bool {
    let age = SystemTime::now().duration_since(SystemTime::from(file.meta.last_modified));
    age.is_ok_and(|age| age >= SETTLED)
}
