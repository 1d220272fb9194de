use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, StringArray, TimestampSecondArray};
use chrono::{DateTime, Utc};
use datafusion::error::DataFusionError;
use tokio::sync::OnceCell;

use super::view::View;
use crate::engine::Engine;
use crate::lake::{At, Version, history};
use crate::pipeline::Runner;
use crate::recommender::{EVENTS, RECOMMENDATIONS, Recommender, RecommenderError, Requests};

/// The table whose new version is a new model.
pub(super) const MODEL: &str = "gold.als_factors";
/// The default length of the lists in `gold.recommendations`: `var('k', 10)`.
const USUAL: u32 = 10;
/// The length of the lists used to compute explanations.
const DEEP: u32 = 1000;

/// The recommendation statement, planned and warmed up over one view of the lake. It is planned once for lists as long
/// as the table's, which are then equal to the table's, and, on first request, for longer ones.
pub(super) struct Models {
    pub view: Arc<View>,
    pub made: Instant,
    /// How long building it took.
    pub took: Duration,
    /// When the model was committed.
    pub trained_at: Option<DateTime<Utc>>,
    pub requests: Requests,
    usual_k: u32,
    usual: Arc<Recommender>,
    long: OnceCell<Arc<Recommender>>,
    deep: OnceCell<Arc<Recommender>>,
}

impl Models {
    /// Plans and warms up the models; `None` if nothing has been run yet. Also prepares the longer lists that were
    /// requested from the previous models.
    pub async fn make(
        runner: &Runner,
        view: &Arc<View>,
        max_k: u32,
        before: Option<&Self>,
    ) -> Result<Option<Self>, RecommenderError> {
        if !view.has(EVENTS) || !view.has(MODEL) {
            return Ok(None);
        }
        let started = Instant::now();
        let usual_k = runner
            .engine()
            .variables()
            .get("k")
            .and_then(|k| k.parse().ok())
            .unwrap_or(USUAL);
        let models = Self {
            view: view.clone(),
            made: started,
            took: Duration::ZERO,
            trained_at: trained_at(runner, view).await,
            requests: Requests::over(runner, &engine(runner, usual_k, false), view.bindings.clone()).await?,
            usual_k,
            usual: planned(runner, view, usual_k, false).await?,
            long: OnceCell::new(),
            deep: OnceCell::new(),
        };
        models.warm(&models.usual).await?;
        if before.is_some_and(|before| before.long.initialized()) {
            let long = models.of_length(runner, max_k, max_k).await?;
            models.warm(&long).await?;
        }
        if before.is_some_and(|before| before.deep.initialized()) {
            let deep = models.deep(runner).await?;
            models.warm(&deep).await?;
        }
        Ok(Some(Self {
            took: started.elapsed(),
            ..models
        }))
    }

    /// The statement for lists of `k` items.
    pub async fn of_length(&self, runner: &Runner, k: u32, max_k: u32) -> Result<Arc<Recommender>, RecommenderError> {
        if k <= self.usual_k {
            return Ok(self.usual.clone());
        }
        let plan = || planned(runner, &self.view, max_k, false);
        self.long.get_or_try_init(plan).await.cloned()
    }

    /// The statement for the long lists used to compute explanations. It has its own memory pool.
    pub async fn deep(&self, runner: &Runner) -> Result<Arc<Recommender>, RecommenderError> {
        let plan = || planned(runner, &self.view, DEEP, true);
        self.deep.get_or_try_init(plan).await.cloned()
    }

    /// The version of the model's table.
    pub fn version(&self) -> Option<Version> {
        self.view.versions.get(MODEL).copied()
    }

    /// The versions of all tables it may depend on.
    pub fn versions(&self) -> &BTreeMap<String, Version> {
        &self.view.versions
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
        let asked = self.requests.of_events(vec![events]).await?;
        recommender.answer(&asked).await?;
        Ok(())
    }
}

async fn trained_at(runner: &Runner, view: &View) -> Option<DateTime<Utc>> {
    let name = runner.dag().named(MODEL)?.name();
    let version = At::Version(*view.versions.get(MODEL)?);
    let table = runner.lake().table_at(name, version).await.ok()?;
    let newest = history(&table, 1).await.ok()?;
    DateTime::from_timestamp_millis(newest.first()?.at?)
}

async fn planned(runner: &Runner, view: &View, k: u32, deep: bool) -> Result<Arc<Recommender>, RecommenderError> {
    let step = runner.dag().named(RECOMMENDATIONS);
    let step = step.ok_or_else(|| RecommenderError::NoStep {
        name: RECOMMENDATIONS.to_owned(),
    })?;
    let engine = engine(runner, k, deep);
    let planned = Recommender::over(runner, &engine, view.bindings.clone(), &step.step.sql).await?;
    Ok(Arc::new(planned))
}

/// One thread per request, because many run concurrently.
fn engine(runner: &Runner, k: u32, deep: bool) -> Engine {
    let mut variables = runner.engine().variables();
    variables.insert("k".to_owned(), k.to_string());
    if deep {
        // So that no item displaces another.
        variables.insert("max_per_category".to_owned(), k.to_string());
    }
    runner.engine().clone().single_threaded().with_variables(variables)
}

/// Converts an error of a model's SQL to a query error.
pub(super) fn as_query_error(error: RecommenderError) -> DataFusionError {
    match error {
        RecommenderError::Query(error) => error,
        other => DataFusionError::External(Box::new(other)),
    }
}
