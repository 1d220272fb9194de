//! Why a pipeline cannot run or a step failed ([`PipelineError`]), and which failures pass by themselves, so that
//! `--follow` tries again ([`Failure`]).

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::error::DataFusionError;
use deltalake::DeltaTableError;

use crate::cluster::ClusterError;
use crate::config::redact;
use crate::lake::LakeError;
use crate::plural::counted;
use crate::sources::SourceError;

/// Why a pipeline cannot run, or a step of it failed. A failed step has committed nothing.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// A statement that is not SQL, or not what a step may hold.
    #[error("{}{}: {message}", file.display(), place(*at))]
    Sql {
        /// The SQL file.
        file: PathBuf,
        /// Line and column, from 1, where they are known.
        at: Option<(u64, u64)>,
        /// What is wrong, and the way out.
        message: String,
    },
    /// The SQL planned, but did not run.
    #[error("step `{step}` failed in {}", file.display())]
    Query {
        /// `layer.table`.
        step: String,
        /// The SQL file.
        file: PathBuf,
        /// What DataFusion said.
        #[source]
        source: Box<DataFusionError>,
    },
    /// A source does not answer or has lost records.
    #[error("step `{step}` cannot read source `{name}`")]
    Source {
        /// `layer.table`.
        step: String,
        /// The source's name in the configuration.
        name: String,
        /// What it said.
        #[source]
        source: Box<SourceError>,
    },
    /// The table was filled from a source that the step no longer reads.
    #[error(
        "`{step}` was filled from source `{old}`, but now reads `{new}`: everything would be read again\n  help: if \
         this is the same source, keep the name `{old}`; otherwise, rebuild with: clickrec run --full-refresh \
         --select {step}+"
    )]
    SourceRenamed {
        /// `layer.table`.
        step: String,
        /// The source in the lake.
        old: String,
        /// The source in the SQL.
        new: String,
    },
    /// A table that is filled from a source was deleted.
    #[error(
        "`{table}` is gone from the lake, although `{reader}` has read it, and its source may now hold fewer records\n  \
         help: put the table back, or rebuild it and the steps after it from what the source still holds: clickrec run \
         --full-refresh --select {table}+"
    )]
    TableGone {
        /// `layer.table`.
        table: String,
        /// A step that has read it.
        reader: String,
    },
    /// A table that is filled from a source does not say how far it was read.
    #[error(
        "`{table}` was not written by clickrec and does not record how far its source was read: every record would be \
         added again\n  help: put the old table back, or rebuild it and the steps after it: clickrec run \
         --full-refresh --select {table}+"
    )]
    NoPositions {
        /// `layer.table`.
        table: String,
    },
    /// A table that is filled from a source is not the one that was read before.
    #[error(
        "`{table}` is not the table that `{reader}` read before: it was deleted and recreated\n  help: put the old \
         one back, or rebuild from what the new one holds: clickrec run --full-refresh --select {reader}+"
    )]
    TableReplaced {
        /// `layer.table`.
        table: String,
        /// The step that has read it.
        reader: String,
    },
    /// Another engine took rows out of a table that is filled from a source.
    #[error(
        "`{table}` no longer holds all that was read into it: {by} removed rows\n  help: bring them back with \
         RESTORE to version {whole}; or rebuild the table and the steps after it from what the source still holds: \
         clickrec run --full-refresh --select {table}+; or continue without the rows: clickrec run --accept-loss"
    )]
    RowsTaken {
        /// `layer.table`.
        table: String,
        /// What was done, by whom, in which version.
        by: String,
        /// The version that had all of them.
        whole: u64,
    },
    /// A table that is filled from sources has read a table whose rows were replaced since.
    #[error(
        "`{table}` would read rows again that it has already read: {reason}\n  help: rebuild it from what \
         its sources still hold: clickrec run --full-refresh --select {table}+"
    )]
    ReadBefore {
        /// `layer.table`.
        table: String,
        /// Which table, and what happened to it.
        reason: String,
    },
    /// Changed logic cannot hold for new rows alone.
    #[error(
        "`{step}` cannot keep its older rows: {reason}\n  help: undo that, or let the table be rebuilt: without \
         `on_change` and --forward, or with: clickrec run --full-refresh --select {step}+"
    )]
    NotForward {
        /// `layer.table`.
        step: String,
        /// Why not.
        reason: String,
    },
    /// A step that was asked to go forward is not among those that run.
    #[error(
        "`{step}` cannot go forward: it does not run\n  help: add it to --select (or leave it out of --exclude), or leave \
         out --forward {step}"
    )]
    NotSelected {
        /// `layer.table`.
        step: String,
    },
    /// Older rows of a table cannot be computed again day by day.
    #[error(
        "the older rows of `{step}` cannot be computed again day by day: {reason}\n  help: leave them as they are \
         (`on_change: forward`), or rebuild the table: clickrec run --full-refresh --select {step}+"
    )]
    NotBackfilled {
        /// `layer.table`.
        step: String,
        /// Why not.
        reason: String,
    },
    /// The records of a quarantine cannot be re-evaluated.
    #[error("`{table}` cannot be replayed: {reason}")]
    Replay {
        /// `layer.table`.
        table: String,
        /// Why not, and the way out.
        reason: String,
    },
    /// The lake refused.
    #[error("step `{step}` failed")]
    Lake {
        /// `layer.table`.
        step: String,
        /// What it said.
        #[source]
        source: LakeError,
    },
    /// The cluster that the steps run on did not do it.
    #[error("step `{step}` failed on the cluster; nothing was committed")]
    Cluster {
        /// `layer.table`.
        step: String,
        /// What it said.
        #[source]
        source: Box<ClusterError>,
    },
    /// No step can write.
    #[error(transparent)]
    Unwritable(LakeError),
    /// Rows violate an expectation whose severity is `fail`.
    #[error(
        "`{step}`: {} `{name}`; nothing was written. Examples:{}\n  help: fix the SQL, or let such rows through with \
         `severity: warn`, or quarantine them with `severity: quarantine`",
        counted(*rows, "row violates", "rows violate"),
        examples.concat()
    )]
    Expectation {
        /// `layer.table`.
        step: String,
        /// The expectation.
        name: String,
        /// How many.
        rows: u64,
        /// Some of them as JSON, each on a line of its own.
        examples: Vec<String>,
    },
    /// So many records make the SQL fail that it must be wrong.
    #[error(
        "the SQL of `{step}` fails on {failed} of the first {looked_at} rows of `{input}`, too many to leave out; nothing was \
         written\n  help: correct {}; `clickrec quarantine show` lists the records left out in earlier runs",
        file.display()
    )]
    RecordsFail {
        /// `layer.table`.
        step: String,
        /// The SQL file.
        file: PathBuf,
        /// The input, as the SQL names it.
        input: String,
        /// How many rows failed.
        failed: usize,
        /// Of how many.
        looked_at: u64,
        /// Why the first one failed.
        #[source]
        source: Box<PipelineError>,
    },
    /// `--select` or an argument names a step that is not there.
    #[error("there is no step `{name}`\n  help: the steps are {known}")]
    UnknownStep {
        /// What was given.
        name: String,
        /// What there is.
        known: String,
    },
    /// A source cannot be set up.
    #[error("source `{name}` cannot be used")]
    BadSource {
        /// The source's name in the configuration.
        name: String,
        /// What is wrong.
        #[source]
        source: Box<SourceError>,
    },
    /// A step that cannot run as its SQL stands: [`super::Runner::check`].
    #[error(transparent)]
    Broken(Arc<PipelineError>),
    /// A step that cannot be planned, as one that it reads cannot.
    #[error("step `{step}` cannot be planned, because it reads `{because_of}`, which is broken: {reason}")]
    ReadsBroken {
        /// `layer.table`.
        step: String,
        /// The step that is broken.
        because_of: String,
        /// What is wrong with that one.
        reason: String,
    },
    /// The engine cannot be set up.
    #[error("cannot set up the query engine")]
    Engine(#[from] DataFusionError),
}

/// What to do about an error while a pipeline follows its sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// A store or another writer is in the way: that will pass, or an operator will fix it.
    Passing,
    /// A source does not answer. If it did before, it will again; if it never did, an operator has to look.
    Unreachable,
    /// The batch does not fit into the memory limit: a smaller one may.
    OutOfMemory,
    /// Trying again would fail again.
    Lasting,
}

impl PipelineError {
    /// Whether it is about rows that stay in the table of a step, and that what the step computes now does not suit.
    pub fn is_of_older_rows(&self) -> bool {
        let is_of_schema = matches!(
            self,
            Self::Lake {
                source: LakeError::Schema { .. },
                ..
            }
        );
        is_of_schema || matches!(self, Self::NotForward { .. })
    }

    /// Whether trying again may help.
    pub fn failure(&self) -> Failure {
        of_chain(self).unwrap_or(Failure::Lasting)
    }
}

/// An error with its causes, each stated once: libraries often repeat their source in their own message. Without the
/// credentials that they may put there.
pub fn chain(error: &(dyn Error + 'static), separator: &str) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.contains(&message) {
            text.push_str(separator);
            text.push_str(&message);
        }
        cause = error.source();
    }
    redact(&text).into_owned()
}

/// What the first error of a chain tells that tells anything.
fn of_chain(error: &(dyn Error + 'static)) -> Option<Failure> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(known) = failure(error) {
            return Some(known);
        }
        cause = error.source();
    }
    None
}

/// Whether a file that was to be read proved damaged.
pub(super) fn is_of_damaged_file(error: &PipelineError) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(SourceError::Damaged { .. }) = found(error) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// What one error of a chain tells; `None` where it tells nothing.
fn failure(error: &(dyn Error + 'static)) -> Option<Failure> {
    if let Some(error) = found::<SourceError>(error) {
        return match error {
            SourceError::Unreachable { .. } => Some(Failure::Unreachable),
            SourceError::Committed { .. } => None,
            _ => Some(Failure::Lasting),
        };
    }
    if let Some(error) = found::<ClusterError>(error) {
        return Some(match error {
            error if error.is_out_of_memory() => Failure::OutOfMemory,
            error if error.is_passing() => Failure::Passing,
            _ => Failure::Lasting,
        });
    }
    if let Some(LakeError::Conflict { .. }) = found(error) {
        return Some(Failure::Passing);
    }
    if let Some(error) = found::<std::io::Error>(error) {
        if error.kind() == std::io::ErrorKind::StorageFull {
            return Some(Failure::Lasting);
        }
        // Writers pass on the errors of stores inside of others, which do not count as their source.
        return of_chain(error.get_ref()?);
    }
    if let Some(error) = found::<DataFusionError>(error) {
        let out = matches!(error.find_root(), DataFusionError::ResourcesExhausted(_));
        return out.then_some(Failure::OutOfMemory);
    }
    if let Some(DeltaTableError::KernelError(error)) = found(error) {
        // What the store said is in its text alone; a file that is missing is another kind of error.
        return error.to_string().contains("object store").then_some(Failure::Passing);
    }
    match found::<object_store::Error>(error)? {
        object_store::Error::Generic { source, .. } => of_store(source.as_ref()),
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
            Some(Failure::Passing)
        }
        _ => Some(Failure::Lasting),
    }
}

/// The error, boxed or not, where it is of this type.
fn found<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let boxed = || error.downcast_ref::<Box<T>>().map(AsRef::as_ref);
    error.downcast_ref().or_else(boxed)
}

/// A store that answers with an error, unless its disk is full.
fn of_store(mut cause: &(dyn Error + 'static)) -> Option<Failure> {
    loop {
        if let Some(error) = cause.downcast_ref::<std::io::Error>()
            && error.kind() == std::io::ErrorKind::StorageFull
        {
            return Some(Failure::Lasting);
        }
        match cause.source() {
            Some(next) => cause = next,
            None => return Some(Failure::Passing),
        }
    }
}

fn place(at: Option<(u64, u64)>) -> String {
    at.map_or_else(String::new, |(line, column)| format!(":{line}:{column}"))
}
