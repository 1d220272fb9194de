//! How `--follow` is doing: lag, rates, commits, failures, and whether it is healthy (sources stalled for three
//! triggers, at least 15 seconds; steps stuck for half an hour; slower steps or upkeep failed three times in a row).
//! `cli/metrics.rs` serves it as `/health` and `/metrics`, `cli/follow.rs` shows it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;

use crate::config::TableName;
use crate::lake::{self, LakeError, Version};
use crate::pipeline::{Node, Outcome, PipelineError, RunEvent, Runner, StepProgress, chain};

/// A source that has not responded for this many triggers, or for this long if that is longer, counts as stalled.
const TRIGGERS_UNHEARD: u32 = 3;
const UNHEARD_MIN: Duration = Duration::from_secs(15);
/// A step that has made no progress for this long counts as stuck; rewriting files counts as no row.
const STUCK: Duration = Duration::from_secs(1_800);
/// A step with a slower schedule, or the upkeep of a table, that failed this often in a row needs attention.
const FAILURES_IN_A_ROW: u64 = 3;

/// How following is doing, shared between the loops and whoever shows it.
#[derive(Debug)]
pub struct Status {
    patience: Duration,
    reads_sources: bool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    shown: Snapshot,
    started: Instant,
    /// When the sources last reported how much waits.
    measured: Instant,
    /// Whether the lag was measured after the last batch.
    lag_is_new: bool,
    /// Since when batches fail.
    failing: Option<Instant>,
    /// The step that works, and how far it was when that was last seen to change.
    working: Option<(Arc<StepProgress>, u64, Instant)>,
}

/// How it goes at one moment.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Snapshot {
    /// Records that wait, by source and place.
    pub lag: BTreeMap<String, BTreeMap<String, u64>>,
    /// Batches since the start that went through.
    pub batches: u64,
    /// Records read from sources since the start.
    pub records: u64,
    /// Records a second: those of the last batch over its time.
    pub rate: f64,
    /// Seconds that the last batch took.
    pub batch_seconds: f64,
    /// Records that became events, since the start.
    pub accepted: u64,
    /// Records that were deliveries of an event that was there, since the start.
    pub repeated: u64,
    /// Records that were not accepted, since the start.
    pub quarantined: u64,
    /// Those of them whose ID is that of another event.
    pub conflicting: u64,
    /// Records that are in none of the tables; below zero, those that are in several.
    pub missing: i64,
    /// Failures since the start, of batches and of steps alongside them.
    pub failures: u64,
    /// Why the last batch failed, where the last one did.
    pub error: Option<String>,
    /// The tables of the steps.
    pub tables: BTreeMap<String, TableStatus>,
}

/// What is known of a step's table.
#[derive(Debug, Clone, Default, Serialize)]
pub struct TableStatus {
    /// Its newest version.
    pub version: Option<Version>,
    /// When that was committed, seconds since 1970.
    pub committed: Option<f64>,
    /// Commits since the start.
    pub commits: u64,
    /// Rows written since the start.
    pub rows: u64,
    /// Seconds that the last commit's step took.
    pub seconds: f64,
    /// Failures since the start, of a step of a slower schedule or of the table's upkeep.
    pub failures: u64,
    /// Those since the last commit.
    pub failing: u64,
    /// Why the last one was.
    pub error: String,
}

/// Whether following needs attention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It makes progress.
    Good,
    /// It does not; with what is wrong.
    Bad(String),
}

impl Snapshot {
    /// Records that wait in all.
    pub fn waiting(&self) -> u64 {
        self.lag.values().flat_map(BTreeMap::values).sum()
    }
}

impl Status {
    pub(super) fn new(trigger: Duration, reads_sources: bool) -> Self {
        let now = Instant::now();
        Self {
            reads_sources,
            patience: (trigger * TRIGGERS_UNHEARD).max(UNHEARD_MIN),
            state: Mutex::new(State {
                shown: Snapshot::default(),
                started: now,
                measured: now,
                lag_is_new: false,
                failing: None,
                working: None,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How it goes now.
    pub fn snapshot(&self) -> Snapshot {
        self.state().shown.clone()
    }

    /// Since when it follows.
    pub fn up(&self) -> Duration {
        self.state().started.elapsed()
    }

    /// Whether it gets on.
    pub fn health(&self) -> Health {
        let mut state = self.state();
        if let Some(failing) = state.failing.filter(|since| since.elapsed() > self.patience) {
            let error = state.shown.error.clone().unwrap_or_default();
            return Health::Bad(format!(
                "batches have been failing for {} s: {error}",
                failing.elapsed().as_secs()
            ));
        }
        let unheard = state.measured.elapsed();
        if self.reads_sources && unheard > self.patience {
            return Health::Bad(format!("the sources have not responded for {} s", unheard.as_secs()));
        }
        let mut tables = state.shown.tables.iter();
        if let Some((name, table)) = tables.find(|(_, table)| table.failing >= FAILURES_IN_A_ROW) {
            return Health::Bad(format!(
                "`{name}` failed {} times in a row: {}",
                table.failing, table.error
            ));
        }
        if let Some((progress, seen, since)) = &mut state.working {
            let now = progress.rows_read() + progress.rows_written();
            if now != *seen {
                (*seen, *since) = (now, Instant::now());
            } else if since.elapsed() > STUCK {
                return Health::Bad(format!(
                    "a step has made no progress for {} s",
                    since.elapsed().as_secs()
                ));
            }
        }
        Health::Good
    }

    /// Records that wait, as far as that was asked after the last batch.
    pub(super) fn waiting(&self) -> u64 {
        let state = self.state();
        if state.lag_is_new { state.shown.waiting() } else { 0 }
    }

    pub(super) fn measured(&self, lag: BTreeMap<String, BTreeMap<String, u64>>) {
        let mut state = self.state();
        state.shown.lag.extend(lag);
        state.measured = Instant::now();
        state.lag_is_new = true;
    }

    pub(super) fn started(&self, event: &RunEvent<'_>) {
        if let RunEvent::Started { progress, .. } = event {
            self.state().working = Some((progress.clone(), 0, Instant::now()));
        }
    }

    pub(super) fn finished(&self, node: &Node, outcome: &Outcome) {
        let mut state = self.state();
        // A snapshot has no records of events.
        if node.adds_records() {
            state.shown.records += outcome.read;
        }
        if outcome.is_quarantine() {
            state.shown.quarantined += outcome.written;
        }
        if let Some(records) = &outcome.reconciled {
            state.shown.accepted += records.accepted;
            state.shown.repeated += records.repeated;
            state.shown.conflicting += records.conflicting;
            state.shown.missing += i64::try_from(records.missing()).unwrap_or(i64::MAX);
        }
        let table = state.shown.tables.entry(outcome.step.to_string()).or_default();
        table.version = outcome.version;
        table.committed = Some(seconds(SystemTime::now()));
        table.commits += 1;
        table.failing = 0;
        table.rows += outcome.written;
        table.seconds = outcome.took.as_secs_f64();
    }

    /// A batch went through.
    pub(super) fn batch(&self, took: Duration, records: u64, did_something: bool) {
        let mut state = self.state();
        state.shown.error = None;
        state.failing = None;
        state.working = None;
        state.lag_is_new = false;
        state.shown.batches += u64::from(did_something);
        if records > 0 {
            state.shown.batch_seconds = took.as_secs_f64();
            state.shown.rate = records as f64 / took.as_secs_f64();
        }
    }

    pub(super) fn failed(&self, error: &PipelineError) {
        let mut state = self.state();
        state.shown.failures += 1;
        state.shown.error = Some(chain(error, ": "));
        state.failing.get_or_insert_with(Instant::now);
        state.working = None;
    }

    pub(super) fn failed_beside(&self, node: &Node, error: &PipelineError) {
        let mut state = self.state();
        state.shown.failures += 1;
        let table = state.shown.tables.entry(node.name().to_string()).or_default();
        table.failures += 1;
        table.failing += 1;
        table.error = chain(error, ": ");
    }

    /// What the tables are before anything has run. One that cannot be read shows when its step runs.
    pub(super) async fn read_tables(&self, runner: &Runner, nodes: &[&Node]) {
        for node in nodes {
            if let Ok(table) = read_table(runner, node.name()).await {
                self.state().shown.tables.insert(node.name().to_string(), table);
            }
        }
    }
}

async fn read_table(runner: &Runner, name: &TableName) -> Result<TableStatus, LakeError> {
    let table = runner.lake().table(name).await?;
    let newest = lake::history(&table, 1).await?.pop();
    Ok(TableStatus {
        version: table.version(),
        committed: newest
            .and_then(|commit| commit.at)
            .map(|millis| millis as f64 / 1_000.0),
        ..TableStatus::default()
    })
}

fn seconds(at: SystemTime) -> f64 {
    at.duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
}
