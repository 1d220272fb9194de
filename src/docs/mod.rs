//! A manual of a project: every table, its columns and where they come from, its SQL and its tests.
//!
//! - `comments`: what the comments of an SQL file say about its table and columns.
//! - `model`: the content of a manual; `build`: collects it.
//! - `markdown`, `html`, `graph`: the formats; `prose`: finds code in comments; `escape`: escapes text for HTML.

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
