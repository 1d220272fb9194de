//! A manual of a project: every table, its columns and where they come from, its SQL and its tests.
//!
//! - `comments`: what the comments of a SQL file say of its table and columns.
//! - `model`: what there is to tell; `build`: how it is found.
//! - `markdown`, `html`, `graph`: the formats; `prose`: finds code in comments; `escape`: text in HTML.

mod build;
mod comments;
mod escape;
mod graph;
mod html;
mod markdown;
mod model;
mod prose;

pub use build::manual;
pub use html::html;
pub use markdown::markdown;
pub use model::{Column, Kind, Manual, Read, Setting, Table, TestPlace};
