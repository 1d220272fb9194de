//! The plan node that collects the keys of the rows that pass through it.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties, RecordBatchStream,
};
use futures::{Stream, StreamExt};

use super::KeySet;
use super::filters::hashes;
use super::set::Keys;
use super::times::ticks;

/// Passes rows through, and collects the values of a key, and of a date or time column next to it, in a [`KeySet`].
#[derive(Debug)]
pub(super) struct KeyTapExec {
    input: Arc<dyn ExecutionPlan>,
    key: Arc<dyn PhysicalExpr>,
    time: Option<Arc<dyn PhysicalExpr>>,
    keys: Arc<KeySet>,
}

impl KeyTapExec {
    pub fn new(input: Arc<dyn ExecutionPlan>, key: Arc<dyn PhysicalExpr>, time: Option<Arc<dyn PhysicalExpr>>) -> Self {
        let keys = Arc::new(KeySet::new(input.output_partitioning().partition_count()));
        Self { input, key, time, keys }
    }

    pub fn keys(&self) -> &Arc<KeySet> {
        &self.keys
    }
}

impl DisplayAs for KeyTapExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyTapExec: {}", self.key)?;
        match &self.time {
            Some(time) => write!(f, " at {time}"),
            None => Ok(()),
        }
    }
}

impl ExecutionPlan for KeyTapExec {
    fn name(&self) -> &str {
        "KeyTapExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn apply_expressions(
        &self,
        visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        let mut next = visit(&self.key)?;
        if let Some(time) = self.time.as_ref().filter(|_| next == TreeNodeRecursion::Continue) {
            next = visit(time)?;
        }
        Ok(next)
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children
            .pop()
            .ok_or_else(|| internal_datafusion_err!("KeyTapExec has one child"))?;
        Ok(Arc::new(Self {
            input,
            key: self.key.clone(),
            time: self.time.clone(),
            keys: self.keys.clone(),
        }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.keys.start(partition);
        Ok(Box::pin(Tap {
            input: self.input.execute(partition, context)?,
            key: self.key.clone(),
            time: self.time.clone(),
            keys: self.keys.clone(),
            ended: false,
        }))
    }
}

struct Tap {
    input: SendableRecordBatchStream,
    key: Arc<dyn PhysicalExpr>,
    time: Option<Arc<dyn PhysicalExpr>>,
    keys: Arc<KeySet>,
    ended: bool,
}

impl Tap {
    fn note(&self, batch: &RecordBatch) -> Result<()> {
        let column = |of: &Arc<dyn PhysicalExpr>| of.evaluate(batch)?.into_array(batch.num_rows());
        let mut noted = Keys::default();
        hashes(&column(&self.key)?, &mut noted.hashes)?;
        if let Some(time) = &self.time {
            noted.times = ticks(&column(time)?)?;
        }
        self.keys.add(noted);
        Ok(())
    }

    fn end(&mut self, complete: bool) {
        if !std::mem::replace(&mut self.ended, true) {
            self.keys.end(complete);
        }
    }
}

impl Stream for Tap {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.input.poll_next_unpin(context);
        if let Poll::Ready(next) = &next {
            match next {
                Some(Ok(batch)) => {
                    if let Err(error) = self.note(batch) {
                        self.end(false);
                        return Poll::Ready(Some(Err(error)));
                    }
                }
                Some(Err(_)) => self.end(false),
                None => self.end(true),
            }
        }
        next
    }
}

/// A partition that is not read to its end must not block the other side.
impl Drop for Tap {
    fn drop(&mut self) {
        self.end(false);
    }
}

impl RecordBatchStream for Tap {
    fn schema(&self) -> SchemaRef {
        self.input.schema()
    }
}
