//! Reads the records of a text that arrives in chunks.

use datafusion::error::Result;

use super::Rows;

/// Reads the records of a text that arrives in chunks.
pub trait Splitter: Send {
    /// Adds the records that end in the chunk; returns `false` once no more are wanted.
    ///
    /// # Errors
    /// When the bytes do not have the format.
    fn feed(&mut self, chunk: &[u8], rows: &mut Rows) -> Result<bool>;

    /// Adds the last record, which needs no line break.
    ///
    /// # Errors
    /// When the bytes do not have the format.
    fn end(&mut self, rows: &mut Rows) -> Result<()>;
}
