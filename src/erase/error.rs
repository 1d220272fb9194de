//! Why an erasure did not happen, or did not end: [`ErasureError`].

use datafusion::error::DataFusionError;

use crate::lake::LakeError;
use crate::pipeline::PipelineError;

/// Why an erasure did not happen, or did not end. Whatever it did remains done; the same command, run again, goes on.
#[derive(Debug, thiserror::Error)]
pub enum ErasureError {
    /// No id was given.
    #[error("no id to erase\n  help: name one with --user ID or --session ID, or a file of ids with --file IDS")]
    NoIds,
    /// A line of a file of ids is not what it should be.
    #[error(
        "line {line} of {file} {reason}\n  help: write one user id a line, or `kind,id` as the first line and then lines \
         such as `user,u1` and `session,s1`"
    )]
    Line {
        /// The file.
        file: String,
        /// From 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// There is no key for the receipts.
    #[error(
        "CLICKREC_ERASURE_KEY is not set\n  help: set it to a secret of at least 16 characters (openssl rand -hex 32) and \
         keep it: the receipts in system.erasures hold ids only as hashes with this key, and a killed erasure goes on \
         only with the same key. A rehearsal needs none: --dry-run"
    )]
    NoKey,
    /// The key is too short.
    #[error("CLICKREC_ERASURE_KEY has fewer than 16 characters\n  help: generate one: openssl rand -hex 32")]
    ShortKey,
    /// The ids do not fit into one search.
    #[error("too many ids for one erasure\n  help: split the file of ids, and erase one part after another")]
    TooMany(#[source] Box<regex::Error>),
    /// New rows of the person arrive as fast as they are taken out.
    #[error(
        "rows of the person keep arriving in {tables}; the erasure is not finished\n  help: stop the source, or `clickrec run \
         --follow`, and run the same command again"
    )]
    KeepsArriving {
        /// The tables.
        tables: String,
    },
    /// The lake refused.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// A step could not be computed again.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// The person could not be looked for.
    #[error("cannot search the tables for the person")]
    Query(#[from] DataFusionError),
}

impl ErasureError {
    /// Whether the call is at fault, and nothing was done.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::NoIds | Self::Line { .. } | Self::NoKey | Self::ShortKey | Self::TooMany(_)
        )
    }
}
