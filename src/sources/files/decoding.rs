//! Decodes a table in a task of its own: while its batches become records, and at the same time as other tables.

use arrow::array::RecordBatch;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{Result, exec_err};
use futures::StreamExt;
use tokio::sync::mpsc::{Receiver, channel};

use crate::sources::formats::Batches;

/// How many batches wait to be taken.
const AHEAD: usize = 2;

/// A table that is being decoded. It ends with this value.
#[derive(Debug)]
pub(super) struct Decoding {
    batches: Receiver<Result<RecordBatch>>,
    task: SpawnedTask<()>,
}

impl Decoding {
    pub fn start(mut batches: Batches) -> Self {
        let (sender, receiver) = channel(AHEAD);
        let task = SpawnedTask::spawn(async move {
            while let Some(batch) = batches.next().await {
                let is_last = batch.is_err();
                if sender.send(batch).await.is_err() || is_last {
                    break;
                }
            }
        });
        Self {
            batches: receiver,
            task,
        }
    }

    /// The next batch; `None` at the end, after which it may not be called.
    ///
    /// # Errors
    /// As [`TableFormat::batches`](crate::sources::formats::TableFormat::batches).
    pub async fn next(&mut self) -> Result<Option<RecordBatch>> {
        if let Some(batch) = self.batches.recv().await {
            return batch.map(Some);
        }
        match (&mut self.task).await {
            Ok(()) => Ok(None),
            // Libraries may panic on a damaged file.
            Err(_) => exec_err!("it is damaged"),
        }
    }
}
