//! What a function knows of its values.

use std::fmt::Debug;

use datafusion::arrow::array::StructArray;
use datafusion::arrow::error::ArrowError;

use super::body::Body;
use super::schema::Schema;
use super::texts::Texts;
use crate::functions::from_json::Declared;

/// How the values of one function are written.
pub(in crate::functions) trait Format: Debug + Send + Sync {
    /// The function's name in SQL.
    fn function(&self) -> &'static str;

    /// The name of the format in messages: `Avro`.
    fn name(&self) -> &'static str;

    /// What a value is called: `record`.
    fn value(&self) -> &'static str;

    /// The settings of a source whose values all have the schema of a file.
    fn file_settings(&self) -> &'static str;

    /// Whether a value may have no bytes.
    fn has_empty_values(&self) -> bool;

    /// Whether it decodes values of this schema.
    fn decodes(&self, schema: &Schema) -> bool;

    /// The rows of values of one schema, which it decodes, in order, where they can be had without texts.
    ///
    /// # Errors
    /// As [`Format::decode`].
    fn columns(
        &self,
        _schema: &Schema,
        _bodies: &[Body<'_>],
        _declared: &Declared<'_>,
    ) -> Result<Option<StructArray>, ArrowError> {
        Ok(None)
    }

    /// Decodes values of one schema, which it decodes. `broken` is the reason for those that are none.
    ///
    /// # Errors
    /// When a type has no JSON values, which the check of the schema excludes.
    fn decode(&self, schema: &Schema, bodies: &[Body<'_>], broken: &str, texts: &mut Texts) -> Result<(), ArrowError>;
}
