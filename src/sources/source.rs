//! What every source does: says what is pending after a position ([`Source`], [`Pending`]), and shows some records; how
//! it is read (`--accept-loss`, `--from-timestamp`); and why it cannot be read or written ([`SourceError`]).

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::TableProvider;

use super::Unproven;

/// How far each place was read. For a `topic/partition`, the position is the next offset to read; for a file's path,
/// the number of the last line read.
///
/// Keys must be stable from run to run: they name Delta application transactions.
pub type Positions = BTreeMap<String, i64>;

/// The positions stored by an earlier commit.
#[async_trait]
pub trait Committed: Send + Sync {
    /// The position stored for `place`; `None` if it was never read.
    ///
    /// # Errors
    /// When the lake cannot be read.
    async fn position(&self, place: &str) -> Result<Option<i64>, SourceError>;

    /// All stored positions; `None` if positions can only be looked up by name.
    ///
    /// # Errors
    /// When the lake cannot be read.
    async fn all(&self) -> Result<Option<Positions>, SourceError> {
        Ok(None)
    }
}

#[async_trait]
impl Committed for Positions {
    async fn position(&self, place: &str) -> Result<Option<i64>, SourceError> {
        Ok(self.get(place).copied())
    }

    async fn all(&self) -> Result<Option<Positions>, SourceError> {
        Ok(Some(self.clone()))
    }
}

/// The metric of a source's scan that counts the bytes of keys and values.
pub const BYTES_READ: &str = "bytes_read";

/// Nothing has been read yet: the whole source is pending.
#[derive(Debug, Clone, Copy)]
pub struct FromTheStart;

#[async_trait]
impl Committed for FromTheStart {
    async fn position(&self, _place: &str) -> Result<Option<i64>, SourceError> {
        Ok(None)
    }

    async fn all(&self) -> Result<Option<Positions>, SourceError> {
        Ok(Some(Positions::new()))
    }
}

/// What to do if records after a committed position are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnLoss {
    /// Return an error that says how many are gone, and which flag accepts the loss.
    #[default]
    Refuse,
    /// Warn, and continue with the remaining records.
    Accept,
}

/// How a source is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReadOptions {
    /// What to do if records after a committed position are gone.
    pub on_loss: OnLoss,
    /// Start at the first record at or after this time, in milliseconds since 1970. Only for places that were never
    /// read.
    pub from_timestamp_millis: Option<i64>,
    /// Read at most about this many records and leave the rest for later; file sources read everything.
    pub records_max: Option<u64>,
    /// Believe what a file that holds a table says of itself, such as its number of rows, and do not decode it to see.
    /// If it proves damaged, the scan fails with [`SourceError::Damaged`]. What is pending is then requested again
    /// without this, which leaves the file out; so it is if the file was not read to its end ([`Unproven`]).
    pub trusts_files: bool,
}

/// What is pending in a source, fixed when it was requested.
#[derive(Debug)]
pub struct Pending {
    /// A bounded scan of exactly the pending records, with the schema of [`record_schema`](super::record_schema).
    pub provider: Arc<dyn TableProvider>,
    /// The positions to commit together with those records: of every existing place, whether it moved or not, so that a
    /// place that is empty today is known tomorrow.
    pub next: Positions,
    /// Whether to commit the positions even if no record is pending; for a snapshot, whether it has changed.
    pub keep: bool,
    /// How many records the scan has; for Kafka, the difference of the offsets, which is an upper bound. For a snapshot
    /// that has not changed, 0: the scan has all of its records all the same.
    pub records: u64,
    /// How many records are waiting at each place, whether or not the scan includes them.
    pub lag: BTreeMap<String, u64>,
    /// Why the newest state of a snapshot was not read. The scan is empty then, and nothing may be made of it.
    pub not_taken: Option<String>,
    /// Trusted files, until a scan has read them to their end. Before that, the positions must not be committed.
    pub unproven: Unproven,
}

/// A place, or a set of places, that records come from.
#[async_trait]
pub trait Source: Debug + Send + Sync {
    /// Finds what is pending between the committed positions and the current ends. Reads no records of a topic; of
    /// files, it reads the whole new text, to count the records. A snapshot is pending as a whole, or not at all.
    ///
    /// # Errors
    /// When the source cannot be reached, or no longer holds the record after a committed position (a topic recreated
    /// or expired, a file truncated), unless the options accept that. Also when the options name a start time but there
    /// are committed positions, or the source has no timestamps.
    async fn pending(&self, committed: &dyn Committed, options: ReadOptions) -> Result<Pending, SourceError>;

    /// The beginnings of some of its files, whatever their format is; none if it does not consist of files.
    ///
    /// # Errors
    /// When they cannot be listed or read.
    async fn heads(&self) -> Result<Vec<Head>, SourceError> {
        Ok(vec![])
    }

    /// The values of some of its records, at most about `most`, from all its places. Reads no more than it needs, and
    /// counts nothing.
    ///
    /// # Errors
    /// When the source cannot be reached or read.
    async fn sample(&self, most: usize) -> Result<Vec<Vec<u8>>, SourceError>;
}

/// The beginning of a file.
#[derive(Debug, Clone)]
pub struct Head {
    /// The file's name in records.
    pub place: String,
    /// Its path below the folder of the source; empty if the source is this one file.
    pub below: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its first bytes, decompressed.
    pub text: Vec<u8>,
    /// Whether it ends with a line break, or is compressed, so that it need not.
    pub is_ended: bool,
}

/// Why a source cannot be read, or not be written to.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The broker, folder or store does not answer, or refuses the request.
    #[error("cannot reach {what}: {reason}\n  help: {help}")]
    Unreachable {
        /// Which source, with its address.
        what: String,
        /// The library's error.
        reason: String,
        /// How to fix it.
        help: String,
    },
    /// The source answered, but does not have what was requested.
    #[error("{what} is missing: {reason}\n  help: {help}")]
    Missing {
        /// Topic, partition or path.
        what: String,
        /// Why it counts as missing.
        reason: String,
        /// How to fix it.
        help: String,
    },
    /// The target of a write could not be created.
    #[error("cannot create {what}: {reason}\n  help: {help}")]
    NotCreated {
        /// The topic.
        what: String,
        /// The brokers' reason.
        reason: String,
        /// How to fix it.
        help: String,
    },
    /// The target refused a record, or its brokers did.
    #[error("cannot send to {what}: {reason}\n  help: {help}")]
    NotSent {
        /// The topic, with its address.
        what: String,
        /// Which records, and why.
        reason: String,
        /// How to fix it.
        help: String,
    },
    /// Records after a committed position are gone.
    #[error("{place} was read up to position {committed}, but now holds {available}: {reason}\n  help: {help}")]
    PositionLost {
        /// `topic/partition` or a file's path.
        place: String,
        /// The position in the lake.
        committed: i64,
        /// What the source holds now.
        available: String,
        /// What must have happened, and how many records are gone.
        reason: String,
        /// How to fix it.
        help: String,
    },
    /// The source was replaced by another one with the same name.
    #[error(
        "{what} has been deleted and recreated since it was last read, and now holds other records\n  help: {help}"
    )]
    Recreated {
        /// The topic.
        what: String,
        /// How to fix it.
        help: String,
    },
    /// A table that a snapshot filled holds all records of its source already.
    #[error(
        "{what} was read as a snapshot before: the table holds its records, and would get each of them again\n  help: \
         {help}"
    )]
    WasSnapshot {
        /// Which source.
        what: String,
        /// How to fix it.
        help: String,
    },
    /// A file that was to be read is damaged.
    #[error("{what} is damaged: {reason}\n  help: {help}")]
    Damaged {
        /// The file.
        what: String,
        /// What is wrong with it.
        reason: String,
        /// How to fix it.
        help: String,
    },
    /// A start time cannot be used.
    #[error("cannot read {what} from a given time: {reason}\n  help: {help}")]
    FromTimestamp {
        /// Which source.
        what: String,
        /// Why not.
        reason: String,
        /// How to fix it.
        help: String,
    },
    /// The positions stored in the lake cannot be read.
    #[error("cannot read the committed position of {place}")]
    Committed {
        /// `topic/partition` or a file's path.
        place: String,
        /// The lake's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
