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
use super::models::{MODEL, Models};
use super::view::View;
use super::{ServeError, ServeOptions};
use crate::lake::Version;
use crate::pipeline::Runner;
use crate::recommender::EVENTS;

/// Answers are kept in so many bytes; an answer of ten items has about two thousand.
const KEPT_BYTES: u64 = 64 << 20;
const KEPT_BYTES_EACH: u64 = 2_000;
/// A process that opens the same tables again and again remembers their logs; it joins nothing by keys.
const KEY_FILTER_BYTES: u64 = 0;

/// What a kept answer is of: a page with its parameters, and the state of what it was made from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct AnswerKey {
    pub page: String,
    /// The generation of models and clicks.
    pub of: u64,
    /// How many clicks the session had.
    pub clicks: usize,
}

/// What a kept answer weighs.
#[derive(Debug, Clone)]
pub(super) struct Weight;

impl Weighter<AnswerKey, Bytes> for Weight {
    fn weight(&self, key: &AnswerKey, answer: &Bytes) -> u64 {
        (key.page.len() + answer.len()) as u64
    }
}

/// All that requests share.
pub(super) struct Shop {
    pub options: ServeOptions,
    pub runner: Runner,
    pub answers: Answers,
    pub kept: Cache<AnswerKey, Bytes, Weight>,
    pub queries: Semaphore,
    pub started: Instant,
    /// The versions of tables, as they change.
    pub commits: watch::Sender<BTreeMap<String, Version>>,
    /// The server is to end.
    pub stop: CancellationToken,
    view: RwLock<Arc<View>>,
    models: RwLock<Option<Arc<Models>>>,
    generation: AtomicU64,
    /// Reasons cost many runs: one session's at a time.
    pub explaining: Semaphore,
    pub clicks: RwLock<Clicks>,
    pub trouble: RwLock<Trouble>,
}

/// What failed when it was last tried. The server's log says why.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Trouble {
    pub lake_unread: bool,
    pub models_failed: bool,
}

impl Trouble {
    /// What is wrong with the lake, as clients are told.
    pub fn of_lake(self) -> Option<String> {
        self.lake_unread
            .then(|| "the lake could not be read; the server's log says why".to_owned())
    }

    /// What is wrong with the models. Those from before still answer.
    pub fn of_models(self) -> Option<String> {
        self.models_failed
            .then(|| "no new models could be made; the server's log says why".to_owned())
    }
}

impl Shop {
    pub async fn open(runner: Runner, options: ServeOptions, stop: CancellationToken) -> Result<Self, ServeError> {
        let runner = runner.with_memory(KEY_FILTER_BYTES);
        let view = View::open(&runner).await?;
        let runs = std::thread::available_parallelism().map_or(1, usize::from);
        let shop = Self {
            answers: Answers::start(runs),
            kept: Cache::with_weighter((KEPT_BYTES / KEPT_BYTES_EACH) as usize, KEPT_BYTES, Weight),
            queries: Semaphore::new(options.limits.queries),
            started: Instant::now(),
            commits: watch::Sender::new(view.versions.clone()),
            view: RwLock::new(Arc::new(view)),
            models: RwLock::default(),
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

    /// The lake as it was last seen.
    pub fn view(&self) -> Arc<View> {
        read(&self.view).clone()
    }

    pub fn set_view(&self, view: View) {
        *write(&self.view) = Arc::new(view);
    }

    /// Tells clients what has changed since they were told last, once it can be asked for: a model when it answers.
    pub fn tell(&self) {
        let mut versions = self.view().versions.clone();
        match self.models().and_then(|models| models.version()) {
            Some(version) => _ = versions.insert(MODEL.to_owned(), version),
            None => _ = versions.remove(MODEL),
        }
        self.commits.send_if_modified(|told| {
            let is_new = *told != versions;
            *told = versions;
            is_new
        });
    }

    /// The lake, where anything was run on it.
    pub fn filled(&self) -> Result<Arc<View>, ApiError> {
        let view = self.view();
        match view.has(EVENTS) {
            true => Ok(view),
            false => Err(ApiError::EmptyLake),
        }
    }

    /// How many rows a client gets, who may have asked for a number.
    pub fn rows(&self, asked: Option<usize>, usual: usize) -> Result<usize, ApiError> {
        let most = self.options.limits.rows;
        match asked.unwrap_or(usual) {
            rows if (1..=most).contains(&rows) => Ok(rows),
            _ => Err(ApiError::BadRequest(format!("expected 1 to {most} rows"))),
        }
    }

    /// What recommends, once there is something to recommend.
    pub fn models(&self) -> Option<Arc<Models>> {
        read(&self.models).clone()
    }

    pub fn set_models(&self, models: Option<Arc<Models>>) {
        *write(&self.models) = models;
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// Replaces all that is known of sessions.
    pub fn set_clicks(&self, clicks: Clicks) {
        *write(&self.clicks) = clicks;
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// What answers that were kept must be of.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }
}

/// Whatever panicked while it held the lock has left a whole value: values are replaced, not changed.
pub(super) fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
