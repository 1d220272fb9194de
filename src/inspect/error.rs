//! Why nothing can be made of a sample.

use crate::sources::SourceError;

/// Why no project can be made of a sample.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The sample cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Its location cannot be used.
    #[error("cannot read the sample {sample}: {reason}\n  help: {help}")]
    Location {
        /// As it was given.
        sample: String,
        /// What is wrong with it.
        reason: String,
        /// How to fix it.
        help: String,
    },
    /// It has no records.
    #[error(
        "{sample} has no records\n  help: name a file, folder, pattern or topic with at least one record; a few \
         hundred reveal more"
    )]
    Empty {
        /// As it was given.
        sample: String,
    },
    /// It has no records that are objects.
    #[error("{sample} has no records that can be read: {reason}\n  help: {help}")]
    NotRecords {
        /// As it was given.
        sample: String,
        /// What it has instead.
        reason: String,
        /// What to do.
        help: String,
    },
    /// It has no field of a name.
    #[error("{sample} has no field `{field}`\n  help: its fields are {fields}")]
    NoField {
        /// As it was given.
        sample: String,
        /// The name.
        field: String,
        /// What there is.
        fields: String,
    },
    /// Fields are in different lists, of which only one becomes rows.
    #[error(
        "{sample}: `{field}` is in a different list from the item\n  help: name fields of one list, or of the record"
    )]
    OtherList {
        /// As it was given.
        sample: String,
        /// The field.
        field: String,
    },
    /// It does not look as the preset says.
    #[error(
        "{sample} does not match the preset `{preset}`: it has no {missing}; its fields are {fields}\n  help: choose another \
         preset, or leave --preset out: the fields are then found by their names and values"
    )]
    NotOfPreset {
        /// As it was given.
        sample: String,
        /// The preset.
        preset: String,
        /// What was looked for.
        missing: String,
        /// What there is.
        fields: String,
    },
}
