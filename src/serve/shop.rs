//! The state of the server that every request passes through: the snapshot of the lake, the newest clicks, the planned
//! statements, the cache of answers, and the limits on concurrent work. Handlers read it; `watch` replaces its parts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::answers::Answers;
use super::clicks::Clicks;
use super::error::ApiError;
use super::snapshot::Snapshot;
use super::statements::Statements;
use super::{ServeError, ServeOptions};
use crate::config::RecommenderConfig;
use crate::lake::Version;
use crate::pipeline::Runner;
use crate::recommender::{self, RecommenderError};

/// The size of the answer cache in bytes; an answer with ten items has about two thousand.
const KEPT_BYTES: u64 = 64 << 20;
const KEPT_BYTES_EACH: u64 = 2_000;
/// The server keeps logs of its tables in memory, because it opens them repeatedly, but it joins nothing by key.
const KEY_FILTER_BYTES: u64 = 0;

/// The key of a cached answer: the page with its parameters, and the state of its inputs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct AnswerKey {
    pub page: String,
    /// The generation of statements and clicks.
    pub of: u64,
    /// How many clicks the session had.
    pub clicks: usize,
}

/// The size of a cached answer.
#[derive(Debug, Clone)]
pub(super) struct Weight;

impl Weighter<AnswerKey, Bytes> for Weight {
    fn weight(&self, key: &AnswerKey, answer: &Bytes) -> u64 {
        (key.page.len() + answer.len()) as u64
    }
}

/// The state shared by all requests.
pub(super) struct Shop {
    pub options: ServeOptions,
    pub runner: Runner,
    pub answers: Answers,
    pub kept: Cache<AnswerKey, Bytes, Weight>,
    pub queries: Semaphore,
    pub started: Instant,
    /// Publishes the versions of tables as they change.
    pub commits: watch::Sender<BTreeMap<String, Version>>,
    /// Signals shutdown.
    pub stop: CancellationToken,
    snapshot: RwLock<Arc<Snapshot>>,
    statements: RwLock<Option<Arc<Statements>>>,
    generation: AtomicU64,
    /// Explanations take many runs, so only one session is explained at a time.
    pub explaining: Semaphore,
    pub clicks: RwLock<Clicks>,
    pub trouble: RwLock<Trouble>,
}

/// What failed at the last attempt. The server's log says why.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Trouble {
    pub lake_unread: bool,
    pub statements_failed: bool,
}

impl Trouble {
    /// What is wrong with the lake, for clients.
    pub fn of_lake(self) -> Option<String> {
        self.lake_unread
            .then(|| "the lake could not be read; the server's log says why".to_owned())
    }

    /// What is wrong with the statements, for clients. The previous ones still answer.
    pub fn of_statements(self) -> Option<String> {
        self.statements_failed
            .then(|| "the new models could not be prepared; the server's log says why".to_owned())
    }
}

impl Shop {
    pub async fn open(runner: Runner, options: ServeOptions, stop: CancellationToken) -> Result<Self, ServeError> {
        let runner = runner.with_memory(KEY_FILTER_BYTES);
        let snapshot = Snapshot::open(&runner).await?;
        let runs = std::thread::available_parallelism().map_or(1, usize::from);
        let shop = Self {
            answers: Answers::start(runs),
            kept: Cache::with_weighter((KEPT_BYTES / KEPT_BYTES_EACH) as usize, KEPT_BYTES, Weight),
            queries: Semaphore::new(options.limits.queries),
            started: Instant::now(),
            commits: watch::Sender::new(snapshot.versions.clone()),
            snapshot: RwLock::new(Arc::new(snapshot)),
            statements: RwLock::default(),
            generation: AtomicU64::new(0),
            explaining: Semaphore::new(1),
            clicks: RwLock::new(Clicks::new(options.recent_events, vec![])),
            trouble: RwLock::default(),
            stop,
            runner,
            options,
        };
        Ok(shop)
    }

    /// The latest snapshot of the lake.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        read(&self.snapshot).clone()
    }

    pub fn set_snapshot(&self, snapshot: Snapshot) {
        *write(&self.snapshot) = Arc::new(snapshot);
    }

    /// What the recommender consists of.
    pub fn recommender(&self) -> &RecommenderConfig {
        self.runner.recommender()
    }

    /// What the project lacks for recommendations; `None` if it lacks nothing.
    pub fn lacks(&self) -> Option<RecommenderError> {
        recommender::check(&self.runner).err()
    }

    /// Notifies clients of what has changed since the last notification, once it is available: a model and its
    /// description when the model answers requests.
    pub fn tell(&self) {
        let mut versions = self.snapshot().versions.clone();
        let (statements, declared) = (self.statements(), self.recommender());
        let answers = self.lacks().is_none();
        for table in declared
            .stale_after
            .iter()
            .chain(&declared.description)
            .filter(|_| answers)
        {
            match statements
                .as_ref()
                .and_then(|statements| statements.snapshot.version(table))
            {
                Some(version) => _ = versions.insert(table.to_string(), version),
                None => _ = versions.remove(&table.to_string()),
            }
        }
        self.commits.send_if_modified(|told| {
            let is_new = *told != versions;
            *told = versions;
            is_new
        });
    }

    /// The latest snapshot, provided that something has been run on the lake.
    pub fn filled(&self) -> Result<Arc<Snapshot>, ApiError> {
        let (snapshot, events) = (self.snapshot(), &self.recommender().events);
        if snapshot.has(events) {
            return Ok(snapshot);
        }
        match self.runner.schemas().contains_key(events) {
            true => Err(ApiError::EmptyLake),
            false => {
                let name = events.to_string();
                Err(ApiError::recommender("the events", RecommenderError::NoStep { name }))
            }
        }
    }

    /// The number of rows to return, given the client's request, if any, and the default.
    pub fn rows(&self, asked: Option<usize>, usual: usize) -> Result<usize, ApiError> {
        let most = self.options.limits.rows;
        match asked.unwrap_or(usual) {
            rows if (1..=most).contains(&rows) => Ok(rows),
            _ => Err(ApiError::BadRequest(format!(
                "expected a number of rows from 1 to {most}"
            ))),
        }
    }

    /// The current statements, if there are any.
    pub fn statements(&self) -> Option<Arc<Statements>> {
        read(&self.statements).clone()
    }

    /// The current statements, or why there are none.
    pub fn answering(&self) -> Result<Arc<Statements>, ApiError> {
        if let Some(statements) = self.statements() {
            return Ok(statements);
        }
        match self.lacks() {
            Some(lacking) => Err(ApiError::recommender("the recommendations", lacking)),
            None => Err(ApiError::EmptyLake),
        }
    }

    pub fn set_statements(&self, statements: Option<Arc<Statements>>) {
        *write(&self.statements) = statements;
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// Replaces all session data.
    pub fn set_clicks(&self, clicks: Clicks) {
        *write(&self.clicks) = clicks;
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// The generation that cached answers must match.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }
}

/// Ignores poisoning: values are replaced, not modified, so a panic cannot leave a half-written one.
pub(super) fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
