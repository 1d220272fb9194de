//! What a step asks of its backend.

use std::sync::Mutex;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use datafusion::error::DataFusionError;
use datafusion::physical_plan::ExecutionPlan;
use deltalake::kernel::Add;

use super::*;
use crate::backend::{BackendError, Job, MergeKeys, Target};
use crate::lake::CommitMode;
use crate::lake::write::Written;

const TWO: &str = "select * from (values (1, 'a'), (2, 'b')) as t (id, name)";

/// Runs plans in this process, and records each call.
#[derive(Debug)]
struct Recording {
    inner: LocalBackend,
    calls: Mutex<Vec<String>>,
    /// What the next write ends with.
    fault: Mutex<Option<DataFusionError>>,
}

impl Recording {
    fn new(world: &World) -> Self {
        Self {
            inner: LocalBackend::new(world.here.engine().clone()),
            calls: Mutex::default(),
            fault: Mutex::default(),
        }
    }

    fn failing(world: &World, fault: DataFusionError) -> Self {
        Self {
            fault: Mutex::new(Some(fault)),
            ..Self::new(world)
        }
    }

    fn record(&self, call: impl Into<String>) {
        self.calls.lock().unwrap().push(call.into());
    }

    fn calls(&self) -> Vec<String> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }

    async fn run(&self, world: &World, step: Step, decision: Decision) -> Result<Done, PipelineError> {
        Prepared::new(world, self, step, decision).await.run().await
    }
}

#[async_trait]
impl Backend for Recording {
    fn engine(&self) -> &Engine {
        self.inner.engine()
    }

    async fn collect(&self, job: Job<'_>, plan: Arc<dyn ExecutionPlan>) -> Result<Vec<RecordBatch>, BackendError> {
        self.record("collect");
        self.inner.collect(job, plan).await
    }

    async fn write(
        &self,
        job: Job<'_>,
        plan: Arc<dyn ExecutionPlan>,
        to: Target<'_>,
    ) -> Result<(Written, MergeKeys), BackendError> {
        let merges = if to.merge.is_some() { " of a merge" } else { "" };
        let keeps = if to.keeps_rest { ", keeping the rest" } else { "" };
        self.record(format!("write{merges}{keeps}"));
        if let Some(fault) = self.fault.lock().unwrap().take() {
            return Err(fault.into());
        }
        self.inner.write(job, plan, to).await
    }

    async fn keys_of(
        &self,
        to: Target<'_>,
        here: &SessionContext,
        files: &[Add],
        keys: MergeKeys,
    ) -> Result<MergeKeys, BackendError> {
        self.record("keys_of");
        self.inner.keys_of(to, here, files, keys).await
    }

    async fn merge(&self, job: Job<'_>, to: Target<'_>, keys: MergeKeys) -> Result<CommitMode, BackendError> {
        self.record("merge");
        self.inner.merge(job, to, keys).await
    }
}

#[tokio::test]
async fn a_backend_merges_only_where_other_rows_stay() {
    let world = World::new();
    let backend = Recording::new(&world);
    let cases: [(Mode, Decision, &[&str]); 5] = [
        (Mode::Append, full(), &["write"]),
        (Mode::Append, Decision::Incremental, &["write, keeping the rest"]),
        (Mode::Overwrite, full(), &["write"]),
        (Mode::Merge, full(), &["write of a merge"]),
        (
            Mode::Merge,
            Decision::Incremental,
            &["write of a merge, keeping the rest", "merge"],
        ),
    ];
    for (mode, decision, expected) in cases {
        backend.run(&world, writing(mode, TWO), decision).await.unwrap();
        assert_eq!(backend.calls(), expected, "{mode:?}");
    }
}

#[tokio::test]
async fn keys_are_read_again_where_rows_were_put_aside() {
    let world = World::new();
    let backend = Recording::new(&world);
    let before = writing(Mode::Merge, TWO);
    backend.run(&world, before, full()).await.unwrap();
    backend.calls();
    let after = writing(Mode::Merge, "select * from (values (1, 'A'), (2, 'B')) as t (id, name)");
    let bad = "select * from gold.items where id = 2";
    let after = expecting(after, Severity::Quarantine, bad);
    backend.run(&world, after, Decision::Incremental).await.unwrap();
    let expected = ["write of a merge, keeping the rest", "keys_of", "merge"];
    assert_eq!(backend.calls(), expected);
    let expected = "+----+------+\n\
                    | id | name |\n\
                    +----+------+\n\
                    | 1  | A    |\n\
                    | 2  | b    |\n\
                    +----+------+";
    assert_eq!(world.rows("select * from gold.items order by id").await, expected);
}

#[tokio::test]
async fn nothing_follows_a_write_that_failed() {
    let world = World::new();
    let faults = [
        DataFusionError::ResourcesExhausted("too little".to_owned()),
        DataFusionError::Execution("no".to_owned()),
    ];
    for fault in faults {
        let backend = Recording::failing(&world, fault);
        let error = backend
            .run(&world, writing(Mode::Merge, TWO), Decision::Incremental)
            .await;
        assert!(matches!(error, Err(PipelineError::Query { .. })), "{error:?}");
        assert_eq!(backend.calls(), ["write of a merge, keeping the rest"]);
    }
    assert_eq!(world.table().await.version(), None);
}

const MODEL: &str = "select kind, id from als_train((select * from (values ('s', 'a'), ('s', 'b'), ('t', 'a')) as t \
                     (session, item)), user => session, item => item, factors => 2, iterations => 2";

#[tokio::test]
async fn a_call_that_memory_does_not_hold_is_computed_by_queries() {
    let world = World::new();
    let memory = DataFusionError::ResourcesExhausted("too little".to_owned()).context("training");
    let backend = Recording::failing(&world, memory);
    let model = |rest: &str| writing(Mode::Overwrite, &format!("{MODEL}{rest})"));
    let prepared = Prepared::new(&world, &backend, model(""), full()).await;
    let done = prepared.run().await.unwrap();
    assert_eq!(done.written, 5, "two sessions, two items, and the model");
    assert_eq!(
        prepared.progress.rows_written(),
        5,
        "tables between queries do not count"
    );
    let calls = backend.calls();
    // In vain; interactions, the start, two half-steps an iteration, and the result.
    assert_eq!(calls.iter().filter(|call| *call == "write").count(), 8, "{calls:?}");
    // A Gramian for each half-step; two and the loss at the end.
    assert_eq!(calls.iter().filter(|call| *call == "collect").count(), 7, "{calls:?}");
    assert_eq!(
        world.files(),
        world.committed().await,
        "nothing is left of the tables between queries"
    );
    let expected = world
        .rows("select kind, count(*) as n from gold.items group by kind order by kind")
        .await;

    // The same where the call requires it.
    backend.run(&world, model(", engine => 'sql'"), full()).await.unwrap();
    assert_eq!(backend.calls().len(), 14);
    let found = world
        .rows("select kind, count(*) as n from gold.items group by kind order by kind")
        .await;
    assert_eq!(found, expected);
}

#[tokio::test]
async fn only_memory_that_does_not_suffice_is_a_reason_for_queries() {
    let world = World::new();
    for (fault, rest) in [
        (
            DataFusionError::Execution("als_train: ResourcesExhausted".to_owned()),
            "",
        ),
        (
            DataFusionError::ResourcesExhausted("too little".to_owned()),
            ", engine => 'memory'",
        ),
    ] {
        let backend = Recording::failing(&world, fault);
        let step = writing(Mode::Overwrite, &format!("{MODEL}{rest})"));
        backend.run(&world, step, full()).await.unwrap_err();
        assert_eq!(backend.calls(), ["write"]);
    }
}
