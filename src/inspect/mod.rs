//! Looks at a sample of events, and makes a project that reads them: `clickrec init --from`. `clickrec evaluate`
//! reads files by the same findings.
//!
//! The steps, each of which knows only those before it:
//!
//! - `locate`: what the sample is: its files and their format, or a topic; the sources for `pipelines.yaml`.
//! - `sample`: a few thousand records, read through those sources. Whatever the format, a record is a JSON object.
//! - `shape`: which fields there are ([`place`]), with which values; `times`: how a field writes times.
//! - `names`, `roles`, `kinds`: which fields may be the time, the session, the item, …, by their names and values, and
//!   what kinds of events count as.
//! - [`mapping`]: what was chosen. `infer` makes it of the candidates, and `presets` of what is known of public
//!   schemas.
//! - `interpret`: what a mapping makes of a record; `nobody`: which IDs count as missing.
//! - `findings`: all of this together; `choose`: the fields that the user names instead.
//! - `generate`: SQL, settings and a unit test as text, the same for inferred and preset mappings.
//!
//! All but the first two are pure functions.

mod choose;
mod error;
mod findings;
mod generate;
mod infer;
mod interpret;
mod kinds;
mod locate;
pub mod mapping;
mod names;
mod nobody;
pub mod place;
mod presets;
mod roles;
mod sample;
mod shape;
mod times;

pub use error::InspectError;
pub use findings::{Findings, look};
pub use generate::{Files, Shipped, clicks, files, to_do};
pub use locate::LocatedSource;
pub use presets::names as preset_names;
pub use sample::Record;
pub use times::TimeNotation;
