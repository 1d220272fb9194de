//! The state of the server that every request passes through: the snapshot of the lake, the newest clicks, the
//! catalog, the planned statements, the cache of answers, and the limits on concurrent work. Handlers read it; `watch`
//! replaces its parts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio_util::sync::CancellationToken;

use super::answer_cache::{self, AnswerCache};
use super::answers::Answers;
use super::clicks::Clicks;
use super::error::ApiError;
use super::snapshot::{Snapshot, Versions};
use super::statements::Statements;
use super::{ServeError, ServeOptions};
use crate::config::RecommenderConfig;
use crate::pipeline::Runner;
use crate::recommender::{self, Catalog, RecommenderError};

/// The server keeps logs of its tables in memory, because it opens them repeatedly, but it joins nothing by key.
const KEY_FILTER_BYTES: u64 = 0;

/// What clients are told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct News {
    pub tables: Versions,
    /// The generation of statements, clicks and catalog: with another one, any recommendation may differ.
    pub generation: u64,
}

/// The state shared by all requests.
pub(super) struct Shop {
    pub options: ServeOptions,
    pub runner: Runner,
    pub answers: Answers,
    pub kept: AnswerCache,
    pub started: Instant,
    /// Publishes what is new.
    pub news: watch::Sender<News>,
    /// Signals shutdown.
    pub stop: CancellationToken,
    snapshot: RwLock<Arc<Snapshot>>,
    statements: RwLock<Option<Arc<Statements>>>,
    generation: AtomicU64,
    queries: Semaphore,
    explaining: Semaphore,
    pub clicks: RwLock<Clicks>,
    catalog: RwLock<Arc<Catalog>>,
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
            kept: answer_cache::empty(),
            started: Instant::now(),
            news: watch::Sender::new(News {
                tables: snapshot.versions.clone(),
                generation: 0,
            }),
            snapshot: RwLock::new(Arc::new(snapshot)),
            statements: RwLock::default(),
            generation: AtomicU64::new(0),
            queries: Semaphore::new(options.limits.queries),
            explaining: Semaphore::new(1),
            clicks: RwLock::new(Clicks::new(options.recent_events, vec![], None)),
            catalog: RwLock::default(),
            trouble: RwLock::default(),
            stop,
            runner,
            options,
        };
        Ok(shop)
    }

    /// A turn to query the lake: waits while `limits.queries` others have one. `guard` ends the wait when the answer
    /// takes too long (503).
    pub async fn turn(&self) -> Result<SemaphorePermit<'_>, ApiError> {
        turn(&self.queries).await
    }

    /// A turn to explain a list. An explanation takes many runs, so there is only one at a time.
    pub async fn turn_to_explain(&self) -> Result<SemaphorePermit<'_>, ApiError> {
        turn(&self.explaining).await
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

    /// Notifies clients of what has changed since the last notification, once it is available.
    pub fn tell(&self) {
        let statements = self.statements();
        let answering = statements.as_ref().map(|statements| &statements.snapshot.versions);
        let lake = self.snapshot().versions.clone();
        let news = News {
            tables: match self.lacks() {
                None => as_answered(lake, self.recommender(), answering),
                Some(_) => lake,
            },
            generation: self.generation(),
        };
        self.news.send_if_modified(|told| {
            let is_new = *told != news;
            *told = news;
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

    /// The shop's catalog; without items if there is none.
    pub fn catalog(&self) -> Arc<Catalog> {
        read(&self.catalog).clone()
    }

    pub fn set_catalog(&self, catalog: Catalog) {
        *write(&self.catalog) = Arc::new(catalog);
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// The generation that cached answers must match.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }
}

async fn turn(turns: &Semaphore) -> Result<SemaphorePermit<'_>, ApiError> {
    // Fails only if they are closed, and nothing closes them.
    turns.acquire().await.map_err(|_| ApiError::Overloaded)
}

/// The versions of the lake's tables, but for models and their description those that answer requests; they are missing
/// as long as none does.
fn as_answered(mut lake: Versions, declared: &RecommenderConfig, answering: Option<&Versions>) -> Versions {
    for table in declared.stale_after.iter().chain(&declared.description) {
        let name = table.to_string();
        match answering.and_then(|versions| versions.get(&name)) {
            Some(version) => _ = lake.insert(name, *version),
            None => _ = lake.remove(&name),
        }
    }
    lake
}

/// Ignores poisoning: values are replaced, not modified, so a panic cannot leave a half-written one.
pub(super) fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLES: [&str; 4] = ["gold.factors", "gold.followers", "gold.model", "gold.sessions"];

    fn versions(of_tables: [u64; 4]) -> Versions {
        TABLES.map(str::to_owned).into_iter().zip(of_tables).collect()
    }

    #[test]
    fn new_models_are_told_once_they_answer() {
        let [factors, followers, model, _] = TABLES.map(|name| name.parse().unwrap());
        let declared = RecommenderConfig {
            stale_after: vec![factors, followers],
            description: Some(model),
            ..RecommenderConfig::default()
        };
        let (before, lake) = (versions([1, 7, 2, 3]), versions([2, 8, 3, 4]));
        let told = versions([1, 7, 2, 4]);
        assert_eq!(as_answered(lake.clone(), &declared, Some(&before)), told);
        assert_eq!(as_answered(lake.clone(), &declared, Some(&lake)), lake);
        let nothing_answers = Versions::from([("gold.sessions".to_owned(), 4)]);
        assert_eq!(as_answered(lake, &declared, None), nothing_answers);
    }
}
