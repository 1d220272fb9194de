//! What every place that events come from has in common: the shape of a record, and reading on from a position.
//!
//! A source keeps no state of its own. The pipeline stores, in the same Delta commit as the rows, how far each
//! place was read, and hands those positions back the next time. A Kafka partition and a file are both a "place".

mod record;
mod table;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::TableProvider;

pub use record::{RecordBatchBuilder, RecordRef, record_schema};
pub use table::SourceTable;

/// How far each place was read: place (`topic/partition`, or a file's path) to the next position.
///
/// Keys must be stable from run to run: they name Delta application transactions.
pub type Positions = BTreeMap<String, i64>;

/// The positions an earlier commit stored.
#[async_trait]
pub trait Committed: Send + Sync {
    /// The position stored for `place`; `None` where it was never read.
    ///
    /// # Errors
    /// When the lake cannot be read.
    async fn position(&self, place: &str) -> Result<Option<i64>, SourceError>;

    /// All positions that are stored; `None` where only one that is named can be found.
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

/// Nothing was read yet: the whole of the source waits.
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

/// What to do where records after a committed position are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnLoss {
    /// An error that says how many, and which flag accepts it.
    #[default]
    Refuse,
    /// Go on with what there is, and warn.
    Accept,
}

/// How a source is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReadOptions {
    /// What to do where records after a committed position are gone.
    pub on_loss: OnLoss,
    /// Start with the first record of this time or later, in milliseconds since 1970. Only for what was never read.
    pub from_timestamp_millis: Option<i64>,
    /// Take about so many records at most, and leave the others waiting; a source of files takes all.
    pub records_max: Option<u64>,
}

/// What waits in a source, fixed at the moment it was asked.
#[derive(Debug)]
pub struct Pending {
    /// A bounded scan, with the schema of [`record_schema`], of just the records that wait.
    pub provider: Arc<dyn TableProvider>,
    /// The positions to commit together with those records: of every place that is there now, moved or not, so that a
    /// place which is empty today is known tomorrow.
    pub next: Positions,
    /// The positions are worth a commit even where no record waits.
    pub keep: bool,
    /// How many records the scan has; for Kafka the distance of the offsets, an upper bound.
    pub records: u64,
    /// How many records wait at each place, whether the scan has them or leaves them for later.
    pub lag: BTreeMap<String, u64>,
}

/// A place, or a set of places, that records come from.
#[async_trait]
pub trait Source: Debug + Send + Sync {
    /// Finds what waits between the committed positions and the ends seen now. Reads no records.
    ///
    /// # Errors
    /// When the source cannot be reached, or no longer holds what comes next after a committed position (a topic
    /// recreated or expired, a file cut short), unless the options accept that; or when they name a time to start from
    /// and there are committed positions, or the source has no times.
    async fn pending(&self, committed: &dyn Committed, options: ReadOptions) -> Result<Pending, SourceError>;
}

/// Why a source cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The broker, folder or store does not answer, or refuses.
    #[error("cannot reach {what}: {reason}\n  help: {help}")]
    Unreachable {
        /// Which source, with its address.
        what: String,
        /// What the library said.
        reason: String,
        /// The way out.
        help: String,
    },
    /// The source answered, but does not have what was asked for.
    #[error("{what} is missing: {reason}\n  help: {help}")]
    Missing {
        /// Topic, partition or path.
        what: String,
        /// Why it counts as missing.
        reason: String,
        /// The way out.
        help: String,
    },
    /// Records after a committed position are gone.
    #[error("{place} was read up to {committed}, but now holds {available}: {reason}\n  help: {help}")]
    PositionLost {
        /// `topic/partition` or a file's path.
        place: String,
        /// The position in the lake.
        committed: i64,
        /// What the source holds now.
        available: String,
        /// What must have happened, and how many records are gone.
        reason: String,
        /// The way out.
        help: String,
    },
    /// The source is another one than the one that was read, under the same name.
    #[error("{what} was deleted and made anew since it was read: what it holds now are other records\n  help: {help}")]
    MadeAnew {
        /// The topic.
        what: String,
        /// The way out.
        help: String,
    },
    /// A time to start from does not fit.
    #[error("cannot start {what} from a time: {reason}\n  help: {help}")]
    FromTimestamp {
        /// Which source.
        what: String,
        /// Why not.
        reason: String,
        /// The way out.
        help: String,
    },
    /// The positions stored in the lake cannot be read.
    #[error("cannot read the committed position of {place}")]
    Committed {
        /// `topic/partition` or a file's path.
        place: String,
        /// What the lake said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
