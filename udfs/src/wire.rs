//! What plans of several processes have in common.

use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::arrow::ipc::reader::StreamReader;
use datafusion::arrow::ipc::writer::StreamWriter;
use datafusion::common::Result;

/// Columns as an Arrow IPC stream without rows.
///
/// # Errors
/// When a type cannot be written.
pub fn schema_to_bytes(schema: &Schema) -> Result<Vec<u8>> {
    Ok(StreamWriter::try_new(vec![], schema)?.into_inner()?)
}

/// The columns that [`schema_to_bytes`] wrote.
///
/// # Errors
/// When the bytes are none.
pub fn schema_from_bytes(bytes: &[u8]) -> Result<SchemaRef> {
    Ok(StreamReader::try_new(bytes, None)?.schema())
}
