//! Arrow schemas as bytes, for plans that span several processes.

use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::arrow::ipc::reader::StreamReader;
use datafusion::arrow::ipc::writer::StreamWriter;
use datafusion::common::Result;

/// Serializes columns as an Arrow IPC stream without rows.
///
/// # Errors
/// When a type cannot be serialized.
pub fn schema_to_bytes(schema: &Schema) -> Result<Vec<u8>> {
    Ok(StreamWriter::try_new(vec![], schema)?.into_inner()?)
}

/// Deserializes columns from [`schema_to_bytes`].
///
/// # Errors
/// When the bytes are invalid.
pub fn schema_from_bytes(bytes: &[u8]) -> Result<SchemaRef> {
    Ok(StreamReader::try_new(bytes, None)?.schema())
}
