//! Rows that a function computes once it has read its inputs, a block of them at a time.

use std::future::Future;
use std::ops::Range;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::{RecordBatchReceiverStream, RecordBatchStreamAdapter};
use futures::{TryStreamExt, stream};

/// So few rows that take less than a millisecond each are computed where they are asked for: it would take longer to wake
/// other threads.
pub(super) const FEW: usize = 8;

/// The rows that come once the inputs are read.
pub(super) fn after<F>(schema: SchemaRef, read: F) -> SendableRecordBatchStream
where
    F: Future<Output = Result<SendableRecordBatchStream>> + Send + 'static,
{
    Box::pin(RecordBatchStreamAdapter::new(schema, stream::once(read).try_flatten()))
}

/// So many rows are put in order where they are asked for; more on a thread that may block.
const MANY: usize = 10_000;

/// What is made of `rows` rows.
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

/// `rows` rows, `size` of them at a time, each block by `compute`: up to `few` at once, more of them on a thread that may
/// block, and no further ahead of who reads them than two blocks.
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
            // Fails where nobody listens any more.
            if out.blocking_send(compute(first..(first + size).min(rows))).is_err() {
                break;
            }
        }
        Ok(())
    });
    stream.build()
}
