//! How far each file was read, as positions in the lake: its lines and bytes, a fingerprint of them, and the file's
//! metadata (`FILE`, `FILE#bytes`, `FILE#content`, `FILE#stamp`). Of a snapshot, all files together have two:
//! `#snapshot`, and `#stamp`.

use std::collections::BTreeMap;

use super::pass::Print;
use crate::sources::{Committed, Positions, SourceError};

const BYTES: &str = "#bytes";
const CONTENT: &str = "#content";
pub(super) const STAMP: &str = "#stamp";
/// Identifies the content of all files of a snapshot.
pub(super) const SNAPSHOT: &str = "#snapshot";
/// Older versions recorded a hash of the first bytes instead of the content.
const HEAD: &str = "#head";

/// How far the file with a given name was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ReadSoFar {
    /// The last line number used in its records. Numbering continues when another file takes the name, so that a name
    /// and line number always identify one record.
    pub lines: u64,
    /// The bytes of text read from the file that has the name now.
    pub bytes: u64,
    /// Identifies the content of these bytes.
    pub print: Option<Print>,
    /// The file's metadata at the time, hashed: as long as it is the same, the file is not opened.
    pub stamp: i64,
}

impl ReadSoFar {
    /// Whether the file's metadata is unchanged.
    pub fn is_told_by(&self, stamp: i64) -> bool {
        stamp != 0 && self.stamp == stamp
    }

    /// The positions of a name.
    pub fn positions(&self, place: &str) -> [(String, i64); 4] {
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let content = match self.print {
            Some(Print::Content(content)) => content,
            _ => 0,
        };
        [
            (place.to_owned(), signed(self.lines)),
            (format!("{place}{BYTES}"), signed(self.bytes)),
            (format!("{place}{CONTENT}"), content),
            (format!("{place}{STAMP}"), self.stamp),
        ]
    }

    fn read(get: impl Fn(&str) -> Option<i64>) -> Self {
        let lines = get("").unwrap_or_default().unsigned_abs();
        let print = match (get(CONTENT), get(HEAD)) {
            (Some(content), _) => Some(Print::Content(content)),
            (None, Some(hash)) => Some(Print::Head { hash, lines }),
            (None, None) => None,
        };
        Self {
            lines,
            bytes: get(BYTES).unwrap_or_default().unsigned_abs(),
            print,
            stamp: get(STAMP).unwrap_or_default(),
        }
    }
}

/// Every file that was read, by name, whether or not it still exists.
#[derive(Debug, Default)]
pub(super) struct Known(BTreeMap<String, ReadSoFar>);

impl Known {
    /// Reads them from a commit. If the commit's positions can only be looked up one at a time, it reads those of these
    /// files alone.
    pub async fn committed<'a>(
        committed: &dyn Committed,
        there: impl Iterator<Item = &'a String>,
    ) -> Result<Self, SourceError> {
        if let Some(positions) = committed.all().await? {
            return Ok(Self::of(&positions));
        }
        let mut known = BTreeMap::new();
        for place in there {
            let mut positions = Positions::new();
            for key in ["", BYTES, CONTENT, STAMP, HEAD].map(|suffix| format!("{place}{suffix}")) {
                positions.extend(committed.position(&key).await?.map(|position| (key, position)));
            }
            known.extend(Self::of(&positions).0);
        }
        Ok(Self(known))
    }

    fn of(positions: &Positions) -> Self {
        let is_name = |key: &&String| ![BYTES, CONTENT, STAMP, HEAD].iter().any(|suffix| key.ends_with(suffix));
        let names = positions.keys().filter(is_name);
        let read = |name: &String| ReadSoFar::read(|suffix| positions.get(&format!("{name}{suffix}")).copied());
        Self(names.map(|name| (name.clone(), read(name))).collect())
    }

    /// Whether it was a snapshot that was read.
    pub fn is_snapshot(&self) -> bool {
        self.0.contains_key(SNAPSHOT)
    }

    /// How far the file of a name was read.
    pub fn get(&self, place: &str) -> ReadSoFar {
        self.0.get(place).copied().unwrap_or_default()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &ReadSoFar)> {
        self.0.iter()
    }
}
