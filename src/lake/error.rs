//! Why the lake could not be read or written: [`LakeError`].

use datafusion::error::DataFusionError;
use deltalake::DeltaTableError;
use deltalake::kernel::transaction::TransactionError;
use indicatif::HumanCount;

use crate::plural::counted;

/// Why the lake could not be read or written. Nothing was committed.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// The Delta library returned an error.
    #[error("cannot {action} `{table}`")]
    Delta {
        /// The operation: `open`, `write`, …
        action: &'static str,
        /// `layer.table`.
        table: String,
        /// The library's error.
        #[source]
        source: Box<DeltaTableError>,
    },
    /// The folder of a local lake cannot be created or written to.
    #[error(
        "cannot write to the lake in {folder}\n  help: check `lake` in the project file, and the folder's permissions"
    )]
    Unwritable {
        /// The folder.
        folder: String,
        /// The operating system's error.
        #[source]
        source: std::io::Error,
    },
    /// Another writer committed to the table while this one worked.
    #[error(
        "another writer committed to `{table}` at the same time, so this attempt committed nothing\n  \
         help: let only one `clickrec run` work on a step at a time, and run again"
    )]
    Conflict {
        /// `layer.table`.
        table: String,
        /// The kind of conflict.
        #[source]
        source: Box<DeltaTableError>,
    },
    /// A column whose type Delta cannot hold.
    #[error(
        "column `{column}` of `{table}` has the type {data_type}, which Delta tables cannot hold\n  help: cast it to \
         another type"
    )]
    Type {
        /// `layer.table`.
        table: String,
        /// The column.
        column: String,
        /// Its Arrow type.
        data_type: String,
    },
    /// The result does not fit the schema of the table it is written to.
    #[error("the result does not fit `{table}`: {reason}\n  help: {help}")]
    Schema {
        /// `layer.table`.
        table: String,
        /// Which column, and why.
        reason: String,
        /// How to fix it.
        help: String,
    },
    /// A NULL key: the row could never be replaced.
    #[error(
        "the key column `{column}` of `{table}` has NULLs in the result\n  help: exclude such rows: where {column} \
         is not null"
    )]
    NullKey {
        /// `layer.table`.
        table: String,
        /// The column.
        column: String,
    },
    /// The files do not hold as many rows as the log says.
    #[error(
        "compaction of `{table}` read {}, but the table's log counts {}; nothing was changed\n  help: rebuild the \
         table: clickrec run --full-refresh --select {table}",
        counted(*written, "row", "rows"),
        HumanCount(*known)
    )]
    Compaction {
        /// `layer.table`.
        table: String,
        /// The row count in the log.
        known: u64,
        /// The row count in the files.
        written: u64,
    },
    /// An erasure did not read as many rows as the log says.
    #[error(
        "the erasure read {} of a file of `{table}`, but the table's log counts {}; nothing was changed\n  help: rebuild \
         the table: clickrec run --full-refresh --select {table}",
        counted(*read, "row", "rows"),
        HumanCount(*known)
    )]
    Erasure {
        /// `layer.table`.
        table: String,
        /// The row count in the log.
        known: u64,
        /// The row count in the file.
        read: u64,
    },
    /// Another program changed rows of a table, and no step has noticed yet.
    #[error(
        "another program changed rows of `{table}`: {by}\n  help: run `clickrec run` first, so that the steps notice; \
         then erase again"
    )]
    ChangedByOthers {
        /// `layer.table`.
        table: String,
        /// What was done, by whom, in which version.
        by: String,
    },
    /// A log file is unusable.
    #[error("cannot read the log of `{table}`: {file}: {reason}\n  help: {help}")]
    Log {
        /// `layer.table`.
        table: String,
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
        /// How to fix it.
        help: &'static str,
    },
    /// A feature of the table that incremental reading does not support.
    #[error("`{table}` uses {feature}, which clickrec cannot read incrementally or on a cluster\n  help: {help}")]
    Unsupported {
        /// `layer.table`.
        table: String,
        /// Deletion vectors or column mapping.
        feature: &'static str,
        /// How to fix it.
        help: &'static str,
    },
    /// The query that fills the table failed.
    #[error(transparent)]
    Query(#[from] DataFusionError),
}

impl LakeError {
    /// Another writer advanced past the inputs that were read for a table.
    pub fn raced(table: &impl ToString) -> Self {
        Self::Conflict {
            table: table.to_string(),
            source: Box::new(DeltaTableError::generic(
                "another run has meanwhile read further into the same inputs",
            )),
        }
    }

    /// Wraps an error of the Delta library for a table.
    pub(super) fn delta(action: &'static str, table: &impl ToString) -> impl FnOnce(DeltaTableError) -> Self {
        let table = table.to_string();
        move |source| {
            let source = Box::new(source);
            match *source {
                DeltaTableError::VersionAlreadyExists(_)
                | DeltaTableError::Transaction {
                    source: TransactionError::CommitConflict(_) | TransactionError::MaxCommitAttempts(_),
                } => Self::Conflict { table, source },
                _ => Self::Delta { action, table, source },
            }
        }
    }
}
