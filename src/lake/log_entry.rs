//! Reads single entries of a table's log: who made a commit, and what it did. Tolerates whatever other engines add, and
//! recognizes an entry that is truncated.

use std::collections::BTreeMap;

use deltalake::kernel::{Add, Remove, Transaction};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::error::Category;
use serde_json::{Deserializer, Map, Value};

use super::commit_keys::{
    FILES_KEY, ID_KEY, LOGIC_KEY, MODE_COMPACT, MODE_ERASE, MODE_KEY, MODE_MERGE, REST_OF_KEY, VERSION_KEY,
};
use super::diagnose::{NEWEST_HELP, OLDER_HELP, SYSTEM_HELP, UNKNOWN_HELP, log_file};
use super::foreign_commits::RestoredTo;
use super::{ForeignCommit, LakeError, LakeTable, SYSTEM_LAYER, Version, positions};

/// One line of an entry. Unlisted kinds of actions and unknown fields are skipped, because the protocol allows engines
/// to add them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line {
    pub add: Option<Add>,
    pub remove: Option<Remove>,
    pub txn: Option<Transaction>,
    pub meta_data: Option<IgnoredAny>,
    pub protocol: Option<IgnoredAny>,
    pub commit_info: Option<Map<String, Value>>,
}

/// The lines of an entry.
pub(super) fn lines(entry: &[u8]) -> impl Iterator<Item = serde_json::Result<Line>> {
    Deserializer::from_slice(entry).into_iter::<Line>()
}

/// Who made a commit, and how, in the writer's own words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct CommitInfo {
    /// When, in milliseconds since 1970.
    pub at: Option<i64>,
    /// How a step changed the table; `compact` for a compaction.
    pub mode: Option<String>,
    /// Which rows the step's logic holds for: `forward`, or the day of a backfill; `None` for all of them.
    pub logic: Option<String>,
    /// The unique ID of the commit, if we made it.
    pub id: Option<String>,
    /// Delta's name of the operation.
    pub operation: Option<String>,
    /// clickrec and its version, or another engine.
    pub engine: Option<String>,
    /// The number of files that it adds and removes, if it says so.
    files: Option<u64>,
    /// The version or time that a RESTORE went back to.
    pub restored_to: Option<RestoredTo>,
}

impl CommitInfo {
    pub fn of(info: &Map<String, Value>) -> Self {
        let text = |key: &str| info.get(key).and_then(Value::as_str).map(str::to_owned);
        let operation = text("operation");
        let restores = operation.as_deref() == Some("RESTORE");
        Self {
            at: info.get("timestamp").and_then(number),
            mode: text(MODE_KEY),
            logic: text(LOGIC_KEY),
            id: text(ID_KEY),
            engine: text(VERSION_KEY)
                .map(|version| format!("clickrec {version}"))
                .or_else(|| text("engineInfo"))
                .or_else(|| text("clientVersion")),
            files: info.get(FILES_KEY).and_then(Value::as_u64),
            restored_to: info
                .get("operationParameters")
                .filter(|_| restores)
                .and_then(restored_to),
            operation,
        }
    }
}

/// Engines write parameters as text, as numbers, or as JSON inside text.
fn number(value: &Value) -> Option<i64> {
    value
        .as_i64()
        .or_else(|| value.as_str()?.trim_matches('"').parse().ok())
}

fn restored_to(parameters: &Value) -> Option<RestoredTo> {
    if let Some(version) = parameters.get("version").and_then(number) {
        return Version::try_from(version).ok().map(RestoredTo::Version);
    }
    parameters.get("datetime").and_then(number).map(RestoredTo::Time)
}

/// The relevant parts of a log entry.
#[derive(Default)]
pub(super) struct LogEntry {
    /// Files with rows that are new or changed.
    pub added: Vec<Add>,
    /// Every file that was removed from the table.
    pub removed: Vec<String>,
    /// Of an erasure: paths of removed files, each with a file that holds what remains of it.
    pub rests: Vec<(String, Add)>,
    /// Whether rows were removed or changed.
    pub takes_rows: bool,
    /// Whether the columns, properties or protocol were written.
    pub changes_table: bool,
    /// Who made it, and how.
    pub info: CommitInfo,
    /// Application IDs and versions.
    pub transactions: BTreeMap<String, i64>,
}

impl LogEntry {
    /// Whether rows were replaced by something other than one of our merges, which writes moved rows to separate files.
    pub fn replaces_rows(&self) -> bool {
        self.takes_rows && self.info.mode.as_deref() != Some(MODE_MERGE)
    }

    /// Whether the table keeps its rows, columns and input positions: a compaction, or the log entries of a vacuum.
    pub fn keeps_rows(&self) -> bool {
        self.added.is_empty() && !self.takes_rows && !self.changes_table && !self.says_positions()
    }

    /// Whether rows of a person were taken out (`erase.rs`). Such a commit changes no data in the sense of the protocol:
    /// its rows are old ones.
    pub fn erases(&self) -> bool {
        self.info.mode.as_deref() == Some(MODE_ERASE)
    }

    /// Whether it records how far inputs were read. Every commit of a step does, even one without rows.
    pub fn says_positions(&self) -> bool {
        self.transactions.contains_key(positions::SQL)
    }

    /// Reads the entry of a version; `None` if the log no longer holds it.
    pub async fn read(table: &LakeTable, version: Version) -> Result<Option<Self>, LakeError> {
        let log = table.delta().log_store();
        let bytes = log
            .read_commit_entry(version)
            .await
            .map_err(LakeError::delta("read the log of", table.name()))?;
        let Some(bytes) = bytes else { return Ok(None) };
        let found = Self::of(&bytes, table.name().layer == SYSTEM_LAYER);
        found.map(Some).map_err(|damage| damage.error(table, version))
    }

    fn of(bytes: &[u8], is_of_system: bool) -> Result<Self, Damage> {
        let (mut entry, mut files) = (Self::default(), 0);
        if bytes.trim_ascii().is_empty() {
            return Err(Damage::Torn("it is empty".to_owned()));
        }
        for line in lines(bytes) {
            let line = line.map_err(|error| match error.classify() {
                Category::Data => Damage::Unknown(error.to_string()),
                _ => Damage::Torn(format!("it is truncated or damaged: {error}")),
            })?;
            if let Some(add) = line.add {
                files += 1;
                entry.rests.extend(rest_of(&add).map(|old| (old, add.clone())));
                entry.added.extend(Some(add).filter(|add| add.data_change));
            }
            if let Some(remove) = line.remove {
                files += 1;
                entry.takes_rows |= remove.data_change;
                entry.removed.push(remove.path);
            }
            if let Some(read) = line.txn {
                entry.transactions.insert(read.app_id, read.version);
            }
            entry.changes_table |= line.meta_data.is_some() || line.protocol.is_some();
            if let Some(info) = line.commit_info {
                entry.info = CommitInfo::of(&info);
            }
        }
        match entry.is_complete(files, is_of_system) {
            true => Ok(entry),
            false => Err(Damage::Torn("its end is missing".to_owned())),
        }
    }

    /// Whether one of our commits contains as many files as it claims. Nothing else reveals an entry that was truncated
    /// between two lines.
    fn is_complete(&self, files: u64, is_of_system: bool) -> bool {
        let Some(mode) = &self.info.mode else { return true };
        if self.info.files.is_some_and(|all| all != files) {
            return false;
        }
        // Early versions recorded neither positions nor the number of files in tables that no step writes.
        let is_early = is_of_system && self.info.files.is_none();
        self.says_positions() || mode == MODE_COMPACT || mode == MODE_ERASE || is_early
    }
}

/// The file whose remaining rows this one holds.
fn rest_of(add: &Add) -> Option<String> {
    add.tags.as_ref()?.get(REST_OF_KEY)?.clone()
}

/// Why an entry is unusable.
#[derive(Debug)]
enum Damage {
    /// Part of it is missing.
    Torn(String),
    /// It is intact, but contains something in an unknown form.
    Unknown(String),
}

impl Damage {
    fn error(self, table: &LakeTable, version: Version) -> LakeError {
        let is_newest = table.version() == Some(version);
        let (reason, help) = match self {
            Self::Unknown(reason) => (reason, UNKNOWN_HELP),
            Self::Torn(reason) if table.name().layer == SYSTEM_LAYER => (reason, SYSTEM_HELP),
            Self::Torn(reason) => (reason, if is_newest { NEWEST_HELP } else { OLDER_HELP }),
        };
        LakeError::Log {
            table: table.name().to_string(),
            file: log_file(table, version),
            reason,
            help,
        }
    }
}

impl ForeignCommit {
    /// What an entry did; `None` if it changed neither rows nor columns (a compaction, or the log entries of a vacuum).
    pub(super) fn of(version: Version, entry: LogEntry) -> Option<Self> {
        if entry.keeps_rows() {
            return None;
        }
        Some(Self {
            version,
            takes_rows: entry.takes_rows,
            adds_rows: !entry.added.is_empty(),
            operation: entry.info.operation.unwrap_or_else(|| "a change".to_owned()),
            engine: entry.info.engine.unwrap_or_else(|| "another engine".to_owned()),
            restored_to: entry.info.restored_to,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const ADD: &str =
        r#"{"add":{"path":"a.parquet","partitionValues":{},"size":1,"modificationTime":1,"dataChange":true}}"#;
    const SQL: &str = r#"{"txn":{"appId":"clickrec/sql","version":1}}"#;

    fn info(more: &str) -> String {
        format!(r#"{{"commitInfo":{{"timestamp":1,"operation":"WRITE"{more}}}}}"#)
    }

    #[test]
    fn what_other_engines_add_to_entries_is_passed_over() {
        let entry = [
            r#"{"commitInfo":{"inCommitTimestamp":5,"timestamp":"7","operation":"RESTORE","isolationLevel":"Odd",
               "readVersion":-1,"operationParameters":{"version":"3","timestamp":null},"engineInfo":"Apache-Spark/4.0"}}"#,
            ADD,
            r#"{"add":{"path":"b.parquet","partitionValues":{},"size":1,"modificationTime":1,"dataChange":false,
               "baseRowId":0,"defaultRowCommitVersion":3,"clusteringProvider":"liquid","more":{"x":[1]}}}"#,
            r#"{"cdc":{"path":"_change_data/c.parquet","partitionValues":{},"size":1,"dataChange":false}}"#,
            r#"{"domainMetadata":{"domain":"delta.rowTracking","configuration":"{}","removed":false}}"#,
            r#"{"sidecar":{"path":"s.parquet","sizeInBytes":1,"modificationTime":1}}"#,
            r#"{"checkpointMetadata":{"version":3}}"#,
            r#"{"somethingOfTomorrow":[1,2,3]}"#,
        ];
        let entry = LogEntry::of(entry.join("\n").as_bytes(), false).unwrap();
        assert_eq!(entry.added.len(), 1, "what only moved is not a new row");
        assert_eq!(entry.info.restored_to, Some(RestoredTo::Version(3)));
        assert_eq!(entry.info.at, Some(7));
        let foreign = ForeignCommit::of(9, entry).unwrap();
        assert_eq!(foreign.to_string(), "RESTORE by Apache-Spark/4.0 in version 9");
    }

    #[test]
    fn a_torn_entry_of_ours_is_told_from_a_whole_one() {
        let of = |lines: &[&str], is_of_system| LogEntry::of(lines.join("\n").as_bytes(), is_of_system);
        let ours = info(r#","clickrec.mode":"merge","clickrec.files":1"#);
        let early = info(r#","clickrec.mode":"merge""#);
        let compacted = info(r#","clickrec.mode":"compact","clickrec.files":2"#);
        let other = info("");
        for (lines, is_of_system, is_whole) in [
            (vec![&ours[..], ADD, SQL], false, true),
            (vec![&ours[..], ADD], false, false),
            (vec![&ours[..], SQL], false, false),
            (vec![&ours[..], ADD], true, false),
            (vec![&early[..], ADD, SQL], false, true),
            (vec![&early[..], ADD], false, false),
            (vec![&early[..], ADD], true, true),
            (vec![&compacted[..], ADD, ADD], false, true),
            (vec![&compacted[..], ADD], false, false),
            (vec![&other[..], ADD], false, true),
        ] {
            assert_eq!(of(&lines, is_of_system).is_ok(), is_whole, "{lines:?} {is_of_system}");
        }
        assert!(matches!(of(&[], false), Err(Damage::Torn(_))));
        assert!(matches!(of(&[&ours[..], &ADD[..40]], false), Err(Damage::Torn(_))));
        assert!(matches!(
            of(&[&other[..], r#"{"add":{"path":7}}"#], false),
            Err(Damage::Unknown(_))
        ));
    }
}
