//! `run --follow`: batch after batch, for as long as the sources deliver. What passes (a broker or store that does not
//! answer, a lost race) is tried again without end, but not with `--once`; a batch that did not fit into memory is
//! followed by a smaller one. Every other failure of a batch ends it, as does a source or store that was never reached.
//!
//! - [`Follower`]: the two loops. One takes what waits in the sources through the steps that keep up with them; the
//!   other runs the steps that have a slower schedule (training), alongside it. They share the memory limit and nothing
//!   else: each step is one commit, so neither can see half of what the other does.
//! - `batch_trigger`: how long it waits before the next batch, and how many records that takes.
//! - `backoff`: how long it pauses after a failed batch before it tries again.
//! - `slower_steps`: when the steps of a slower schedule (`every`, `refresh_after`) are due.
//! - `backfill`: rows of earlier logic are computed again beside all that, day by day (`on_change: backfill`);
//!   `turns`: a step and its backfill do not get into each other's way.
//! - `ledger`: what the steps did, for `system.runs`, every few minutes.
//! - [`Status`]: how it is doing, for whoever shows it: lag, rates, commits, failures, health.

mod backfill;
mod backoff;
mod batch_trigger;
mod ledger;
mod slower_steps;
mod status;
#[cfg(test)]
mod tests;
mod turns;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use self::backoff::Backoff;
use self::batch_trigger::BatchTrigger;
use self::ledger::Ledger;
use self::slower_steps::Schedule;
use self::turns::Turns;
use super::run_options::lookup;
use super::{Decision, Failure, Node, Outcome, PipelineError, RunEvent, RunOptions, Runner};
use crate::config::{Mode, Pipeline};
use crate::sources::OnLoss;

pub use status::{Health, Snapshot, Status, TableStatus};

/// How a pipeline is followed.
#[derive(Debug, Clone, Default)]
pub struct FollowOptions {
    /// What is run.
    pub run: RunOptions,
    /// End once nothing waits anymore.
    pub once: bool,
}

/// What happens, in order.
#[derive(Debug)]
pub enum FollowEvent<'a> {
    /// One batch went through the steps that keep up with the sources.
    Batch {
        /// What the steps did that had something to do.
        outcomes: &'a [Outcome],
        /// How it goes now.
        status: &'a Snapshot,
    },
    /// A step of a slower schedule has run, or one more day of a step's older rows was computed again.
    Scheduled(&'a Outcome),
    /// A batch, or a step of a slower schedule, failed, and will be tried again after a pause.
    Failed {
        /// Why.
        error: &'a PipelineError,
        /// How long it waits.
        pause: Duration,
    },
}

type OnEvent<'a> = &'a (dyn Fn(FollowEvent<'_>) + Sync);

/// Follows the sources of one pipeline.
#[derive(Debug)]
pub struct Follower<'a> {
    runner: &'a Runner,
    pipeline: &'a Pipeline,
    options: FollowOptions,
    /// The steps that keep up with the sources, in order.
    batch: Vec<&'a Node>,
    /// The steps that have a slower schedule, in order.
    scheduled: Vec<&'a Node>,
    /// The steps whose older rows are computed again.
    turns: Turns<'a>,
    status: Arc<Status>,
    stop: CancellationToken,
    /// Steps whose tables were written, and may be due for upkeep.
    ledger: Ledger,
    written: UnboundedSender<&'a Node>,
    to_maintain: Mutex<UnboundedReceiver<&'a Node>>,
}

impl<'a> Follower<'a> {
    /// Follows until `stop` says so: it then ends after the step that is at work.
    ///
    /// # Errors
    /// When the selection names no step, a selected step cannot run as its SQL stands, or a step cannot go forward or be
    /// backfilled as was asked for.
    pub fn new(
        runner: &'a Runner,
        pipeline: &'a Pipeline,
        options: FollowOptions,
        stop: CancellationToken,
    ) -> Result<Self, PipelineError> {
        let selected = options.run.selection.steps(runner.dag(), &pipeline.name)?;
        runner.check(&selected)?;
        runner.check_forward(&options.run.forward, &selected)?;
        let nodes = runner.dag().nodes().iter();
        let nodes = nodes.filter(|node| selected.contains(node.name()) && node.step.mode != Mode::View);
        let (scheduled, batch): (Vec<&Node>, Vec<&Node>) = nodes.partition(|node| slower_steps::is_slower(node));
        let turns = Turns::new(batch.iter().chain(&scheduled).copied());
        for node in turns.nodes() {
            runner.check_backfill(node)?;
        }
        let (written, to_maintain) = unbounded_channel();
        let reads_sources = batch.iter().any(|node: &&Node| !node.sources.is_empty());
        Ok(Self {
            runner,
            pipeline,
            options,
            batch,
            scheduled,
            turns,
            status: Arc::new(Status::new(pipeline.trigger.every, reads_sources)),
            stop,
            ledger: Ledger::new(pipeline),
            written,
            to_maintain: Mutex::new(to_maintain),
        })
    }

    /// How it goes.
    pub fn status(&self) -> &Arc<Status> {
        &self.status
    }

    /// Follows.
    ///
    /// # Errors
    /// What no further attempt would fix: lost records, a schema that does not fit, a full disk. What will pass (a
    /// broker or a store that does not answer, a lost race) is tried again forever, with pauses, and shows in the
    /// status.
    pub async fn run(&self, on_event: OnEvent<'_>) -> Result<(), PipelineError> {
        self.runner.lake().check_writable().map_err(PipelineError::Unwritable)?;
        for nodes in [&self.batch, &self.scheduled] {
            self.status.read_tables(self.runner, nodes).await;
        }
        let beside = async {
            tokio::join!(
                self.measure(),
                self.maintain(on_event),
                self.ledger.keep(self.runner),
                async {
                    if !self.options.once {
                        tokio::join!(self.follow_schedule(on_event), self.backfill(on_event));
                    }
                }
            )
        };
        // Whatever runs alongside the batches when they end is dropped: it has committed, or it has not.
        let followed = tokio::select! {
            followed = self.follow_sources(on_event) => followed,
            _ = beside => Ok(()),
        };
        self.ledger.save(self.runner).await;
        followed?;
        if self.options.once && !self.stop.is_cancelled() {
            for node in &self.scheduled {
                self.run_scheduled(node, on_event).await?;
            }
            self.ledger.save(self.runner).await;
        }
        Ok(())
    }

    async fn follow_sources(&self, on_event: OnEvent<'_>) -> Result<(), PipelineError> {
        let mut trigger = BatchTrigger::new(self.pipeline.trigger);
        let mut backoff = Backoff::default();
        let mut options = self.options.run.clone();
        let (mut was_reached, mut behind) = (false, false);
        while self.options.once || trigger.wait(&self.status, &self.stop).await {
            match self.one_batch(&mut options, &mut trigger, behind, on_event).await {
                Ok(left) => {
                    // More may wait than the steps that caught up have read.
                    let left = std::mem::take(&mut behind) || left;
                    backoff.reset();
                    trigger.take_more();
                    was_reached = true;
                    // What was lost before is accepted, not what may be lost later; and every source has its start.
                    options.read.on_loss = OnLoss::Refuse;
                    options.read.from_timestamp_millis = None;
                    if self.stop.is_cancelled() || (self.options.once && !left) {
                        break;
                    }
                }
                Err(error) => {
                    match error.failure() {
                        Failure::Passing if !self.options.once => {}
                        Failure::Unreachable if !self.options.once && was_reached => {}
                        Failure::OutOfMemory if trigger.take_less() => {}
                        _ => {
                            self.status.failed(&error);
                            return Err(error);
                        }
                    }
                    // What was read goes through the other steps before more is read, or it would get more and more.
                    behind = true;
                    let pause = backoff.failed();
                    self.status.failed(&error);
                    on_event(FollowEvent::Failed { error: &error, pause });
                    tokio::select! {
                        () = sleep(pause) => {}
                        () = self.stop.cancelled() => break,
                    }
                }
            }
        }
        Ok(())
    }

    /// Runs the steps once, side by side if none reads another, until it is asked to stop. Returns whether records were
    /// read, so that more may wait.
    async fn one_batch(
        &self,
        options: &mut RunOptions,
        trigger: &mut BatchTrigger,
        behind: bool,
        on_event: OnEvent<'_>,
    ) -> Result<bool, PipelineError> {
        let started = Instant::now();
        let (mut left, mut records) = (false, 0);
        options.read.records_max = Some(trigger.records_max());
        let mut outcomes = vec![];
        let steps = self.batch.iter().filter(|node| !behind || node.sources.is_empty());
        for wave in waves(steps.copied()) {
            if self.stop.is_cancelled() {
                break;
            }
            let running = wave.iter().map(|node| self.run_batch_step(node, options));
            for (node, outcome) in wave.iter().zip(try_join_all(running).await?) {
                if matches!(outcome.decision, Decision::UpToDate(_)) {
                    continue;
                }
                trigger.learn(&outcome);
                left |= !node.sources.is_empty();
                if node.adds_records() {
                    records += outcome.read;
                }
                outcomes.push(outcome);
            }
        }
        self.status.batch(started.elapsed(), records, !outcomes.is_empty());
        if !outcomes.is_empty() {
            on_event(FollowEvent::Batch {
                outcomes: &outcomes,
                status: &self.status.snapshot(),
            });
        }
        Ok(left)
    }

    async fn run_batch_step(&self, node: &'a Node, options: &RunOptions) -> Result<Outcome, PipelineError> {
        let _turn = self.turns.take(node).await;
        let mut on_start = |event: RunEvent<'_>| self.status.started(&event);
        let outcome = self.runner.run_step(node, lookup(node, options), &mut on_start).await?;
        if !matches!(outcome.decision, Decision::UpToDate(_)) {
            self.finished(node, &outcome);
        }
        Ok(outcome)
    }

    /// Asks the sources, again and again, how much waits.
    async fn measure(&self) {
        let pause = (self.pipeline.trigger.every / 10).clamp(Duration::from_millis(200), Duration::from_secs(2));
        loop {
            for node in self.batch.iter().filter(|node| !node.sources.is_empty()) {
                match self.runner.lag(node).await {
                    Ok(lag) => self.status.measured(lag),
                    // The next batch will fail with the same error, and report it.
                    Err(error) => tracing::debug!(%error, "the lag cannot be measured"),
                }
            }
            sleep(pause).await;
        }
    }

    fn finished(&self, node: &'a Node, outcome: &Outcome) {
        self.status.finished(node, outcome);
        self.ledger.add(outcome);
        // Fails only if the maintenance loop has ended.
        _ = self.written.send(node);
    }

    /// Computes older rows again, alongside the batches.
    async fn backfill(&self, on_event: OnEvent<'_>) {
        let pause = self.pipeline.trigger.every;
        let on_day = |node, day: Result<&Outcome, &PipelineError>| match day {
            Ok(outcome) => {
                self.finished(node, outcome);
                on_event(FollowEvent::Scheduled(outcome));
            }
            Err(error) => {
                self.status.failed_beside(node, error);
                on_event(FollowEvent::Failed { error, pause });
            }
        };
        backfill::backfill(self.runner, &self.turns, pause, on_day).await;
    }

    /// Maintains the tables that were written, alongside the batches. What cannot be done now is done later.
    async fn maintain(&self, on_event: OnEvent<'_>) {
        let mut to_maintain = self.to_maintain.lock().await;
        loop {
            let Some(first) = to_maintain.recv().await else {
                return;
            };
            // A table that was written several times meanwhile is looked at once.
            let mut nodes = BTreeMap::from([(first.name(), first)]);
            while let Ok(next) = to_maintain.try_recv() {
                nodes.insert(next.name(), next);
            }
            for node in nodes.into_values() {
                match self.runner.maintain(node.name()).await {
                    Ok(done) => tracing::info!(table = %node.name(), ?done, "maintained"),
                    Err(error) => {
                        let pause = self.pipeline.trigger.every;
                        self.status.failed_beside(node, &error);
                        on_event(FollowEvent::Failed { error: &error, pause });
                    }
                }
            }
        }
    }

    async fn follow_schedule(&self, on_event: OnEvent<'_>) {
        let mut schedule = Schedule::new(&self.scheduled, self.pipeline.trigger.every);
        loop {
            tokio::select! {
                () = schedule.wait() => {}
                // The batches end, and this with them.
                () = self.stop.cancelled() => return std::future::pending().await,
            }
            for node in schedule.due() {
                match self.run_scheduled(node, on_event).await {
                    Ok(true) => {}
                    Ok(false) => schedule.soon(node, self.pipeline.trigger.every),
                    Err(error) => {
                        let pause = slower_steps::pause(node, self.pipeline.trigger.every);
                        self.status.failed_beside(node, &error);
                        on_event(FollowEvent::Failed { error: &error, pause });
                    }
                }
            }
        }
    }

    /// Whether there was anything for the step to work on.
    async fn run_scheduled(&self, node: &'a Node, on_event: OnEvent<'_>) -> Result<bool, PipelineError> {
        let lookup = lookup(node, &self.options.run);
        let inputs = self.runner.inspect(node, lookup).await?;
        // Before anything has come in there is nothing to learn from. A snapshot without records is news.
        let reads_snapshots = !node.sources.is_empty() && !node.adds_records();
        if !reads_snapshots && matches!(inputs.decision, Decision::Full(_)) && inputs.waiting == Some(0) {
            return Ok(false);
        }
        let _turn = self.turns.take(node).await;
        let outcome = self.runner.run_step(node, lookup, &mut |_| {}).await?;
        if !matches!(outcome.decision, Decision::UpToDate(_)) {
            self.finished(node, &outcome);
            on_event(FollowEvent::Scheduled(&outcome));
        }
        Ok(true)
    }
}

/// Steps in order, in groups within which none reads a table of another.
fn waves<'a>(steps: impl Iterator<Item = &'a Node>) -> Vec<Vec<&'a Node>> {
    let mut waves: Vec<Vec<&Node>> = vec![];
    let mut written = BTreeSet::new();
    for node in steps {
        match waves.last_mut().filter(|_| !node.reads_any(&written)) {
            Some(wave) => wave.push(node),
            None => {
                waves.push(vec![node]);
                written.clear();
            }
        }
        written.insert(node.name().clone());
    }
    waves
}
