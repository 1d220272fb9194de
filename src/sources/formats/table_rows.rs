//! Makes records of the rows of a table, each a JSON object, whose values `udfs/src/json_rows/mod.rs` writes.

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use clickrec_udfs::json_rows::each_row;

use super::Rows;

/// Adds the rows of a batch, from the given one on, until the current batch of records is full or no more are wanted.
/// Returns how many it added.
///
/// # Errors
/// When a column has no JSON values.
pub fn add_rows(batch: &RecordBatch, from: usize, rows: &mut Rows) -> Result<usize, ArrowError> {
    if rows.is_full() {
        return Ok(0);
    }
    each_row(batch, from, |object| rows.push(object) && !rows.is_full())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use arrow::array::{ArrayRef, StringArray};

    use super::*;

    #[test]
    fn a_batch_is_added_in_parts_if_it_is_large() {
        let text = "x".repeat(1 << 20);
        let texts = StringArray::from(vec![text.as_str(); 40]);
        let batch = RecordBatch::try_from_iter([("v", Arc::new(texts) as ArrayRef)]).unwrap();
        let mut rows = Rows::new(None, None);
        let added = add_rows(&batch, 0, &mut rows).unwrap();
        assert!(added < 40, "{added}");
        rows.finish().unwrap();
        let more = add_rows(&batch, added, &mut rows).unwrap();
        assert!(more > 0 && added + more <= 40, "{more}");
        let mut few = Rows::new(None, Some(3));
        assert_eq!(add_rows(&batch, 0, &mut few).unwrap(), 3);
    }
}
