//! Rotated logs, and other files that are no longer under the name under which they were read: renamed, moved,
//! compressed, or copied and cut to nothing (`copytruncate`). A text that has left its name is searched
//! for at the beginning of every new file, by content; reading continues in the file that begins with it. What no file
//! holds anymore was replaced or truncated, which `new_lines` refuses unless `--accept-loss` is given.

use std::collections::{BTreeMap, BTreeSet};

use super::codec::Codec;
use super::listing::Listed;
use super::names;
use super::pass::{Checkpoint, Pass};
use super::read_so_far::{Known, ReadSoFar};
use crate::plural::counted;
use crate::sources::SourceError;

/// A text that was read under some name and is no longer there under that name.
pub(super) struct Displaced {
    pub place: String,
    pub read: ReadSoFar,
    /// The file that has the name now.
    pub by: Option<usize>,
}

impl Displaced {
    /// The error for a text that nothing continues, while this file has its name.
    pub fn lost_to(&self, file: &Listed) -> SourceError {
        let read = &self.read;
        let reason = if file.meta.size < read.bytes && names::compression(&file.place).is_none() {
            "the file was replaced or truncated, and no other file holds what was read from it"
        } else {
            "the file was replaced: it no longer begins with what was read from it, and no other file does"
        };
        SourceError::PositionLost {
            place: file.place.clone(),
            committed: i64::try_from(read.bytes).unwrap_or(i64::MAX),
            available: counted(file.meta.size, "byte", "bytes"),
            reason: reason.to_owned(),
            help:
                "restore the old file, or give the new one another name; if logs are rotated, set `path` to a pattern \
                   that also matches the rotated files (clicks.json*); to read the file as a new one: clickrec run \
                   --accept-loss"
                    .to_owned(),
        }
    }
}

/// What was read from files that no longer exist.
pub(super) fn absent(files: &[Listed], known: &Known) -> Vec<Displaced> {
    let there: BTreeSet<&String> = files.iter().map(|file| &file.place).collect();
    let absent = known
        .iter()
        .filter(|(place, read)| read.bytes > 0 && !there.contains(place));
    absent
        .map(|(place, read)| Displaced {
            place: place.clone(),
            read: *read,
            by: None,
        })
        .collect()
}

/// Where other files may begin with one of these texts, sorted by length.
pub(super) fn checkpoints(displaced: &[Displaced]) -> Vec<Checkpoint> {
    let checkpoints = displaced.iter().enumerate().filter_map(|(id, gone)| {
        Some(Checkpoint {
            length: gone.read.bytes,
            print: gone.read.print?,
            id,
            is_sought: gone.by.is_some(),
        })
    });
    let mut checkpoints: Vec<Checkpoint> = checkpoints.collect();
    checkpoints.sort_by_key(|checkpoint| checkpoint.length);
    checkpoints
}

/// Which file continues which displaced text: the longest match first, each used only once.
pub(super) fn claims(texts: &[(usize, Codec, Pass)]) -> BTreeMap<usize, usize> {
    let mut matches: Vec<(u64, usize, usize)> = vec![];
    for (index, _, pass) in texts {
        let marks = pass.marks.iter();
        matches.extend(marks.filter_map(|mark| Some((mark.length, *index, mark.id?))));
    }
    matches.sort_by_key(|(length, index, _)| (std::cmp::Reverse(*length), *index));
    let (mut claims, mut claimants) = (BTreeMap::new(), BTreeSet::new());
    for (_, index, id) in matches {
        if !claims.contains_key(&id) && claimants.insert(index) {
            claims.insert(id, index);
        }
    }
    claims
}

/// The texts that are nowhere anymore, each with the file that has its name now: no other file continues it or holds
/// the same.
pub(super) fn lost<'a>(
    states: &[ReadSoFar],
    displaced: &'a [Displaced],
    claims: &BTreeMap<usize, usize>,
) -> Vec<(&'a Displaced, usize)> {
    let is_displaced = |index: usize| displaced.iter().any(|other| other.by == Some(index));
    let lost_to = |(id, gone): (usize, &'a Displaced)| {
        let by = gone.by.filter(|_| !claims.contains_key(&id))?;
        // A rotation drops the oldest file, and the next one takes its name.
        let by_known = claims.values().any(|claimant| *claimant == by);
        let still_there = |index: usize| index != by && same(&states[index], &gone.read);
        let is_there = (0..states.len()).any(|index| still_there(index) && !is_displaced(index));
        (!by_known && !is_there).then_some((gone, by))
    };
    displaced.iter().enumerate().filter_map(lost_to).collect()
}

fn same(one: &ReadSoFar, other: &ReadSoFar) -> bool {
    one.bytes == other.bytes && one.print == other.print
}
