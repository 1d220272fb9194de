//! Rows that a function computes block by block, once it has read its inputs.

use std::future::Future;
use std::ops::Range;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::{RecordBatchReceiverStream, RecordBatchStreamAdapter};
use futures::{TryStreamExt, stream};

/// Up to this many rows that take less than a millisecond each are computed on the calling thread: waking other threads
/// would take longer.
pub(super) const FEW: usize = 8;

/// A stream of rows that starts once the inputs are read.
pub(super) fn after<F>(schema: SchemaRef, read: F) -> SendableRecordBatchStream
where
    F: Future<Output = Result<SendableRecordBatchStream>> + Send + 'static,
{
    Box::pin(RecordBatchStreamAdapter::new(schema, stream::once(read).try_flatten()))
}

/// Up to this many rows are processed on the calling thread; more run on a blocking thread.
const MANY: usize = 10_000;

/// Computes a value from `rows` rows.
pub(super) async fn made_of<T: Send + 'static>(
    rows: usize,
    make: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    if rows <= MANY {
        return make();
    }
    let made = tokio::task::spawn_blocking(make).await;
    made.map_err(|error| exec_datafusion_err!("a thread stopped: {error}"))?
}

/// Computes `rows` rows in blocks of `size`, each with `compute`. Up to `few` rows are computed at once; more run on a
/// blocking thread, at most two blocks ahead of the reader.
pub(super) fn in_blocks(
    schema: SchemaRef,
    rows: usize,
    (size, few): (usize, usize),
    compute: impl Fn(Range<usize>) -> Result<RecordBatch> + Send + 'static,
) -> SendableRecordBatchStream {
    if rows <= few {
        let all = (rows > 0).then(|| compute(0..rows));
        return Box::pin(RecordBatchStreamAdapter::new(schema, stream::iter(all)));
    }
    let mut stream = RecordBatchReceiverStream::builder(schema, 2);
    let out = stream.tx();
    stream.spawn_blocking(move || {
        for first in (0..rows).step_by(size) {
            // Fails if the receiver is gone.
            if out.blocking_send(compute(first..(first + size).min(rows))).is_err() {
                break;
            }
        }
        Ok(())
    });
    stream.build()
}
