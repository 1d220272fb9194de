//! Columns with their types, declared in a string:
//! `'event_id string, at timestamp_ms, items struct(id string, price decimal(10, 2))[], user string from $.user.id'`.
//!
//! - `column`: what is declared.
//! - `scanner`: reads the words and quotes of a text.
//! - `path`: parses `$.user.id`.
//! - `parser`: parses all of it.

mod column;
mod parser;
mod path;
mod scanner;
#[cfg(test)]
mod tests;

pub(super) use column::{Column, Kind, Step};
pub use parser::parse_columns;
pub(super) use parser::parse_declaration;
