//! How far a step has read its inputs, as the application IDs of Delta transactions: what these positions are called,
//! and how they are read back.
//!
//! They are committed together with the rows (`commit.rs`), and are a pipeline's only state:
//!
//! | application ID | version |
//! |---|---|
//! | `clickrec/source/SOURCE/PLACE` | the next offset of a partition, the last line read of a file, or what identifies it |
//! | `clickrec/table/LAYER.TABLE/UUID` | the version of a lake table that was read |
//! | `clickrec/sql` | the fingerprint of the logic that produced the table (`pipeline/fingerprint.rs`) |
//! | `clickrec/layout` | the fingerprint of what no row may differ in: mode, key, partitioning |
//! | `clickrec/since` | when that logic began to hold for new rows, in milliseconds since 1970; 0 where all rows are of it |
//! | `clickrec/backfill` | the oldest day of which rows of earlier logic were computed again, in days since 1970 |
//!
//! The last three are in tables of steps that read `changes('…')` of tables.
//!
//! Every commit of a step contains all of them, whether they moved or not, so its newest commit is enough.

use async_trait::async_trait;
use chrono::Utc;

use super::LakeTable;
use crate::config::TableName;
use crate::sources::{Committed, Positions, SourceError};

/// The application ID of the logic's fingerprint.
pub const SQL: &str = "clickrec/sql";

/// The application ID of the fingerprint of the mode, the key and the partitioning.
pub const LAYOUT: &str = "clickrec/layout";

/// The application ID of the time since when new rows are of the logic of [`SQL`], in milliseconds since 1970; 0 where
/// all rows are.
pub const SINCE: &str = "clickrec/since";

/// The application ID of the oldest day that a backfill has computed again, in days since 1970; [`NO_DAY`] where there
/// is none yet.
pub const BACKFILL: &str = "clickrec/backfill";

/// The version of [`BACKFILL`] before the first day.
pub const NO_DAY: i64 = i64::MAX;

/// The application ID of the time of the last vacuum, in milliseconds since 1970. Commits of steps do not carry it.
pub const VACUUM: &str = "clickrec/vacuum";

/// The positions of logic that holds for new rows from this moment on.
pub fn since_now() -> [(&'static str, i64); 2] {
    [(SINCE, Utc::now().timestamp_millis()), (BACKFILL, NO_DAY)]
}

const SOURCES: &str = "clickrec/source/";
const TABLES: &str = "clickrec/table/";

/// The application ID of a place in a source.
pub fn of_source(source: &str, place: &str) -> String {
    format!("{SOURCES}{source}/{place}")
}

/// The source whose place an application ID names; `None` for other IDs.
pub fn source_of(app_id: &str) -> Option<&str> {
    let (source, _) = app_id.strip_prefix(SOURCES)?.split_once('/')?;
    Some(source)
}

/// Whether an application ID's version identifies what is at a source's place, instead of saying how far it was read.
/// Such a version does not grow as more is read.
pub fn is_mark(app_id: &str) -> bool {
    app_id.contains('#') || app_id.ends_with("/id")
}

/// The application ID of a lake table. It contains the table's identity, so a recreated table counts as unread.
pub fn of_table(name: &TableName, id: &str) -> String {
    format!("{TABLES}{name}/{id}")
}

/// The lake table whose version an application ID holds; `None` for other IDs.
pub fn table_of(app_id: &str) -> Option<TableName> {
    let (name, _) = app_id.strip_prefix(TABLES)?.rsplit_once('/')?;
    name.parse().ok()
}

/// The positions of one source that a table has committed.
#[derive(Debug, Clone, Copy)]
pub struct SourcePositions<'a> {
    /// The table that the source's records go to.
    pub table: &'a LakeTable,
    /// The source's name.
    pub source: &'a str,
}

#[async_trait]
impl Committed for SourcePositions<'_> {
    async fn position(&self, place: &str) -> Result<Option<i64>, SourceError> {
        self.table
            .transaction(&of_source(self.source, place))
            .await
            .map_err(|source| SourceError::Committed {
                place: place.to_owned(),
                source: Box::new(source),
            })
    }

    async fn all(&self) -> Result<Option<Positions>, SourceError> {
        let stored = self
            .table
            .transactions()
            .await
            .map_err(|source| SourceError::Committed {
                place: self.source.to_owned(),
                source: Box::new(source),
            })?;
        let Some(stored) = stored else { return Ok(None) };
        let prefix = of_source(self.source, "");
        let of_source = stored.range(prefix.clone()..).map_while(|(id, position)| {
            let place = id.strip_prefix(&prefix)?;
            Some((place.to_owned(), *position))
        });
        Ok(Some(of_source.collect()))
    }
}
