//! Files that exist twice, plain and compressed (`gzip -k`, or while `gzip` is running): only one of the two is read;
//! of two new ones, the plain one. Files with the same content under other names are all read. Tables are told by their
//! names: one that is compressed as a whole cannot be read, so it is not opened where the table itself is there.

use std::collections::{BTreeMap, BTreeSet};

use super::compare::Likeness;
use super::files_source::FilesSource;
use super::listing::Listed;
use super::names;
use crate::sources::SourceError;
use crate::sources::formats::Layout;

/// New files with the same content as another file whose name differs only in the compression extension.
#[derive(Debug, Default)]
pub(super) struct Copies {
    /// They hold everything the other file does.
    pub whole: BTreeSet<usize>,
    /// They hold only part of it, because they are still being written; or they are tables that cannot be read.
    pub growing: BTreeSet<usize>,
}

impl Copies {
    /// Compares new files with those of the same name.
    pub async fn find(source: &FilesSource, files: &[Listed], mut new: Vec<usize>) -> Result<Self, SourceError> {
        let mut copies = Self::default();
        if new.is_empty() {
            return Ok(copies);
        }
        let Layout::Text(format) = source.config.format.layout() else {
            return Ok(Self::beside_tables(files, &new));
        };
        let mut by_name: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, file) in files.iter().enumerate() {
            let name = names::uncompressed(file.meta.location.as_ref());
            by_name.entry(name).or_default().push(index);
        }
        // Compressed files first: if both are new, the plain one is read.
        new.sort_by_key(|index| names::compression(files[*index].meta.location.as_ref()).is_none());
        for index in new {
            let name = names::uncompressed(files[index].meta.location.as_ref());
            for other in by_name.get(name).into_iter().flatten().copied() {
                if other == index || copies.whole.contains(&other) || copies.growing.contains(&other) {
                    continue;
                }
                let found = match source.likeness(&files[index], &files[other], format).await? {
                    Likeness::Other => continue,
                    Likeness::Beginning => &mut copies.growing,
                    Likeness::Same => &mut copies.whole,
                };
                found.insert(index);
                tracing::info!(
                    "{} is a copy of {} and is not read",
                    files[index].place,
                    files[other].place
                );
                break;
            }
        }
        Ok(copies)
    }

    /// New compressed files that are next to an uncompressed copy.
    fn beside_tables(files: &[Listed], new: &[usize]) -> Self {
        let paths: BTreeSet<&str> = files.iter().map(|file| file.meta.location.as_ref()).collect();
        let is_beside = |index: &usize| {
            let path = files[*index].meta.location.as_ref();
            names::compression(path).is_some() && paths.contains(names::uncompressed(path))
        };
        let growing: BTreeSet<usize> = new.iter().copied().filter(is_beside).collect();
        for index in &growing {
            tracing::info!(
                "{} is a compressed copy of a table next to it, and is not read",
                files[*index].place
            );
        }
        Self {
            growing,
            ..Self::default()
        }
    }
}
