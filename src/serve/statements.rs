//! The project's recommendation statement, planned once over a snapshot (`plan`), warmed up, and kept until its tables
//! change. `watch` has it planned in the background, and swaps in the new one when it is ready; `answers` and
//! `api/recommendations` run it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, StringArray, TimestampSecondArray};
use chrono::{DateTime, Utc};
use tokio::sync::OnceCell;

use super::snapshot::{Snapshot, Versions};
use crate::config::{RecommenderConfig, TableName};
use crate::engine::Engine;
use crate::lake::{At, Version, history};
use crate::pipeline::Runner;
use crate::recommender::{Length, Recommender, RecommenderError, Requests, tables_read, usual_length};

/// The recommendation statement, planned and warmed up over one snapshot of the lake. It is planned once for lists as
/// long as the table's, which are then equal to the table's, and, on first request, for longer ones.
pub(super) struct Statements {
    pub snapshot: Arc<Snapshot>,
    /// When planning began.
    pub began: Instant,
    /// How long planning and warming up took.
    pub took: Duration,
    /// The model, where the project declares which table it is.
    pub model: Option<ModelVersion>,
    pub requests: Requests,
    /// The versions of the tables that determine the answers.
    versions: BTreeMap<TableName, Option<Version>>,
    usual_k: u32,
    usual: Arc<Recommender>,
    long: OnceCell<Arc<Recommender>>,
    deep: OnceCell<Arc<Recommender>>,
}

/// A version of the model's table.
#[derive(Debug, Clone)]
pub(super) struct ModelVersion {
    pub table: TableName,
    pub version: Version,
    /// When it was committed.
    pub trained_at: Option<DateTime<Utc>>,
}

/// Whether the tables that recommendations need exist: the events, and the declared models.
pub(super) fn is_ready(recommender: &RecommenderConfig, versions: &Versions) -> bool {
    let mut tables = recommender.stale_after.iter().chain([&recommender.events]);
    tables.all(|table| versions.contains_key(&table.to_string()))
}

/// Whether the version of a declared model differs.
fn is_replaced(recommender: &RecommenderConfig, before: &Versions, now: &Versions) -> bool {
    let mut tables = recommender.stale_after.iter().map(ToString::to_string);
    tables.any(|table| before.get(&table) != now.get(&table))
}

impl Statements {
    /// Plans and warms up the statement; `None` if nothing has been run yet. Also prepares the longer lists that were
    /// requested from the previous statements.
    pub async fn plan(
        runner: &Runner,
        snapshot: &Arc<Snapshot>,
        max_k: u32,
        before: Option<&Self>,
    ) -> Result<Option<Self>, RecommenderError> {
        if !is_ready(runner.recommender(), &snapshot.versions) {
            return Ok(None);
        }
        let started = Instant::now();
        let statements = Self {
            snapshot: snapshot.clone(),
            began: started,
            took: Duration::ZERO,
            model: model(runner, snapshot).await,
            requests: Requests::over(runner, &engine(runner), snapshot.bindings.clone()).await?,
            versions: versions(runner, snapshot)?,
            usual_k: usual_length(runner.engine()),
            usual: planned(runner, snapshot, Length::Usual).await?,
            long: OnceCell::new(),
            deep: OnceCell::new(),
        };
        statements.warm(&statements.usual).await?;
        if before.is_some_and(|before| before.long.initialized()) {
            let long = statements.pick(runner, max_k, max_k).await?;
            statements.warm(&long).await?;
        }
        if before.is_some_and(|before| before.deep.initialized()) {
            let deep = statements.deep(runner).await?;
            statements.warm(&deep).await?;
        }
        Ok(Some(Self {
            took: started.elapsed(),
            ..statements
        }))
    }

    /// Picks the statement for lists of `k` items; plans the one for long lists when it is first needed.
    pub async fn pick(&self, runner: &Runner, k: u32, max_k: u32) -> Result<Arc<Recommender>, RecommenderError> {
        if k <= self.usual_k {
            return Ok(self.usual.clone());
        }
        let plan = || planned(runner, &self.snapshot, Length::Items(max_k));
        self.long.get_or_try_init(plan).await.cloned()
    }

    /// The statement for the long lists used to compute explanations.
    pub async fn deep(&self, runner: &Runner) -> Result<Arc<Recommender>, RecommenderError> {
        let plan = || planned(runner, &self.snapshot, Length::Deep);
        self.deep.get_or_try_init(plan).await.cloned()
    }

    /// Whether the version of a declared model has changed.
    pub fn is_replaced(&self, recommender: &RecommenderConfig, snapshot: &Snapshot) -> bool {
        is_replaced(recommender, &self.snapshot.versions, &snapshot.versions)
    }

    /// Whether the version of any table that determines the answers has changed.
    pub fn is_stale(&self, snapshot: &Snapshot) -> bool {
        let mut tables = self.versions.iter();
        tables.any(|(table, version)| snapshot.version(table) != *version)
    }

    /// Runs one request, so that the first client does not have to wait for indices.
    async fn warm(&self, recommender: &Recommender) -> Result<(), RecommenderError> {
        let text = |text: &str| Arc::new(StringArray::from(vec![text])) as ArrayRef;
        let events = self.requests.events(&[
            ("session_id", text("warm")),
            ("item_id", text("warm")),
            ("event_type", text("view")),
            ("event_at", Arc::new(TimestampSecondArray::from(vec![0]))),
        ])?;
        let requests = self.requests.of_events(vec![events]).await?;
        recommender.answer(&requests).await?;
        Ok(())
    }
}

/// The version of the first declared model.
async fn model(runner: &Runner, snapshot: &Snapshot) -> Option<ModelVersion> {
    let table = runner.recommender().stale_after.first()?;
    let version = snapshot.version(table)?;
    Some(ModelVersion {
        table: table.clone(),
        version,
        trained_at: committed_at(runner, table, version).await,
    })
}

async fn committed_at(runner: &Runner, table: &TableName, version: Version) -> Option<DateTime<Utc>> {
    let table = runner.lake().table_at(table, At::Version(version)).await.ok()?;
    let newest = history(&table, 1).await.ok()?;
    DateTime::from_timestamp_millis(newest.first()?.at?)
}

fn versions(runner: &Runner, snapshot: &Snapshot) -> Result<BTreeMap<TableName, Option<Version>>, RecommenderError> {
    let declared = runner.recommender();
    let mut tables = tables_read(runner)?;
    tables.extend(declared.stale_after.iter().chain(&declared.description).cloned());
    let versions = tables.into_iter().map(|table| {
        let version = snapshot.version(&table);
        (table, version)
    });
    Ok(versions.collect())
}

async fn planned(runner: &Runner, snapshot: &Snapshot, length: Length) -> Result<Arc<Recommender>, RecommenderError> {
    let planned = Recommender::of_length(runner, &engine(runner), snapshot.bindings.clone(), length).await?;
    Ok(Arc::new(planned))
}

/// One thread per request, because many run concurrently.
fn engine(runner: &Runner) -> Engine {
    runner.engine().clone().single_threaded()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLES: [&str; 3] = ["gold.factors", "gold.followers", "silver.events"];

    /// Tables without a version do not exist.
    fn versions(of_tables: [Option<Version>; 3]) -> Versions {
        let tables = TABLES.into_iter().zip(of_tables);
        tables
            .filter_map(|(table, version)| Some((table.to_owned(), version?)))
            .collect()
    }

    /// A recommender of two models.
    fn recommender() -> RecommenderConfig {
        let [factors, followers, events] = TABLES.map(|name| name.parse().unwrap());
        RecommenderConfig {
            events,
            stale_after: vec![factors, followers],
            ..RecommenderConfig::default()
        }
    }

    #[test]
    fn recommendations_need_all_models_and_the_events() {
        let is_ready = |of_tables| is_ready(&recommender(), &versions(of_tables));
        assert!(is_ready([Some(0), Some(5), Some(0)]));
        assert!(!is_ready([None, Some(5), Some(0)]));
        assert!(!is_ready([Some(0), None, Some(0)]));
        assert!(!is_ready([Some(0), Some(5), None]));
    }

    #[test]
    fn a_new_version_of_any_model_replaces_them() {
        let before = versions([Some(1), Some(5), Some(1)]);
        let is_replaced = |now| is_replaced(&recommender(), &before, &versions(now));
        assert!(!is_replaced([Some(1), Some(5), Some(2)]), "events are not a model");
        assert!(is_replaced([Some(2), Some(5), Some(1)]));
        assert!(is_replaced([Some(1), Some(6), Some(1)]));
        assert!(is_replaced([Some(1), None, Some(1)]), "it was deleted");
    }
}
