//! What `from_avro` and `from_protobuf` share: values that only their schema describes.
//!
//! The declared columns, the result and the policies are those of `from_json`, and a row never fails the query. A
//! column is found by its name in the schema with which the value was written, so values of several schemas may be
//! mixed: a field that a schema lacks is NULL.
//!
//! The schema is named by the ID before the value or in a header of its record (`frame.rs`), and comes from a registry,
//! which is asked once for each ID. The IDs of a batch are known only when the batch is there, so the functions are
//! asynchronous: they may be in a select list or a filter, but not in a join condition. A registry that does not
//! answer makes the query fail, because the values are not to blame. An ID that it does not know, or whose schema is of
//! another type, is an error of the row.
//!
//! The values become JSON texts, which are read as `from_json` reads them. So Avro, Protobuf, files of tables and JSON
//! have the same values, reasons and policies. A format may take a shorter way where that makes no difference.
//!
//! - `schema`: a schema, and what it refers to; `schemas`: where schemas come from.
//! - `headers`: the headers of records; `body`: a value to decode; `identify`: the ID of its schema.
//! - `format`: what a function knows of its values; `texts`: the values as JSON.
//! - `batch`: asks the registry for the schemas of a batch, and has its values decoded; `parts`: puts them together.
//! - `function`: the arguments of a call, and the call.

mod batch;
mod body;
mod format;
mod function;
mod headers;
mod identify;
mod parts;
mod schema;
mod schemas;
#[cfg(test)]
pub(super) mod testing;
mod texts;

pub(super) use body::Body;
pub(super) use format::Format;
pub(super) use function::{DecodeFunction, documentation};
pub use schema::{Reference, Schema};
pub use schemas::{RegisteredSchema, SchemaRegistry, SourceSchemas, ValueSchemas};
pub(super) use texts::Texts;
