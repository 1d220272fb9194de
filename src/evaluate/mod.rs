//! Measures how good recommendations are on sessions that the models have not seen.
//!
//! Events are split by time. The project's own steps learn from the sessions before the cut, in a lake of their own.
//! The sessions after it are revealed step by step, and each answer is compared with what came next. Every item in the
//! training sessions is a candidate; ties count against us.
//!
//! - [`Data`]: training and test events, from the lake or a file (`train_test`), or from two files (`overlap`).
//! - `import`: what files hold; `import_sql`: the events of their records.
//! - [`Cases`] (`cases`): test sessions cut into what is known and what is to be predicted.
//! - [`Scratch`]: the lake in which the models learn.
//! - [`models`](fn@models): the models to compare, as the project declares them.
//! - [`metrics`]: the metrics, one per file; [`bootstrap`](mod@bootstrap): their confidence intervals.
//! - [`Exam`] (`measure`): runs the models and scores their answers; `grid`: the combinations that `--grid` tries.
//! - [`Report`]: all figures; [`save`](fn@save): writes them to `system.evaluations`.

mod bootstrap;
mod cases;
mod data;
mod error;
mod grid;
mod import;
mod import_sql;
mod measure;
pub mod metrics;
mod models;
mod overlap;
mod report;
mod save;
mod scratch;
mod train_test;

use std::collections::{BTreeMap, BTreeSet};

pub use bootstrap::Estimate;
pub use cases::{Case, Cases, Reveal};
pub use data::{Data, Origin};
pub use error::EvaluationError;
pub use import::{Hints, ROLES};
pub use measure::Exam;
pub use models::{Model, models};
pub use report::{Figures, Latency, MEASURES, Measured, Report};
pub use save::save;
pub use scratch::Scratch;
pub use train_test::{Cut, Split, split};

use models::chosen;

use crate::pipeline::Runner;
use crate::pipeline::references::references;
use crate::plural::counted;

/// What to measure.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The list lengths to evaluate, each separately.
    pub ks: Vec<usize>,
    /// The models, by name; all if empty.
    pub models: Vec<String>,
    /// Values to try for each `var('…', …)`.
    pub grid: Vec<(String, Vec<String>)>,
    /// The measure that the grid search maximizes: at the largest `k`, for the last of the models.
    pub judge: String,
    /// The part of the training sessions that validates the grid.
    pub validation: Cut,
    /// The maximum number of validation sessions.
    pub sample: usize,
}

/// The result of one combination of the grid.
#[derive(Debug, Clone)]
pub struct Tried {
    /// Its values.
    pub variables: BTreeMap<String, String>,
    /// Its validation score.
    pub score: f64,
}

/// Tries every combination of the grid on a part of the training sessions. Then uses the best one to measure all models
/// on the test sessions. `observe` is told about the progress.
///
/// # Errors
/// When a name is unknown, a side has no sessions, or the project's SQL fails.
pub async fn evaluate(
    scratch: &Scratch,
    data: &Data,
    plan: &Plan,
    observe: &mut dyn FnMut(&str),
) -> Result<(Report, Vec<Tried>), EvaluationError> {
    let models = chosen(&scratch.project().recommender, &plan.models)?;
    let tried = match plan.grid.is_empty() {
        true => vec![],
        false => tune(scratch, plan, &models, observe).await?,
    };
    // The first among equals.
    let best = tried.iter().rev().max_by(|a, b| a.score.total_cmp(&b.score));
    let variables = best.map_or_else(BTreeMap::new, |best| best.variables.clone());
    observe("learning from the training sessions");
    let runner = scratch.learn(&variables, &models).await?;
    let cases = Cases::new(data.test.clone(), data.reveal)?;
    let exam = Exam::new(&runner, &cases, &plan.ks).await?;
    let mut measured = vec![];
    for seen in [true, false] {
        for model in &models {
            let number = counted(cases.all().len() as u64, "case", "cases");
            observe(&format!("testing {} on {number}", model.name));
            measured.push(exam.measure(model, seen, true).await?);
        }
    }
    let report = Report {
        data: data.description.clone(),
        train_sessions: data::sessions(&runner).await?,
        test_sessions: cases.sessions(),
        cases: cases.all().len(),
        variables: variables.into_iter().collect(),
        measured,
    };
    Ok((report, tried))
}

/// Splits the training sessions once more, and tries every combination on the later part.
async fn tune(
    scratch: &Scratch,
    plan: &Plan,
    models: &[Model],
    observe: &mut dyn FnMut(&str),
) -> Result<Vec<Tried>, EvaluationError> {
    let whole = Runner::new(scratch.project(), scratch.engine()).await?;
    let events = &whole.recommender().events;
    let session = whole.session().await?;
    let cut = split(&session, events, plan.validation, whole.timezone(), Some(plan.sample)).await?;
    let earlier = Scratch::new(scratch.project(), &whole, cut.train).await?;
    let cases = Cases::new(cut.test, Reveal::EveryStep)?;
    let (Some(model), Some(k)) = (models.last(), plan.ks.iter().max()) else {
        return Ok(vec![]);
    };
    let mut tried = vec![];
    for variables in grid::combinations(&plan.grid) {
        let runner = earlier.learn(&variables, std::slice::from_ref(model)).await?;
        let measured = Exam::new(&runner, &cases, &plan.ks)
            .await?
            .measure(model, true, false)
            .await?;
        let score = measured.value(&plan.judge, *k).unwrap_or_default();
        let values: Vec<String> = variables
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        observe(&format!(
            "{}: {} of {} is {score:.4}",
            values.join(" "),
            plan.judge,
            model.name
        ));
        tried.push(Tried { variables, score });
    }
    Ok(tried)
}

/// Checks the names of models and variables before doing any work.
///
/// # Errors
/// When one is unknown.
pub fn check(runner: &Runner, plan: &Plan) -> Result<(), EvaluationError> {
    let models = chosen(runner.recommender(), &plan.models)?;
    known_variables(runner, &models, plan)
}

/// A variable that occurs in no SQL would have no effect.
fn known_variables(runner: &Runner, models: &[Model], plan: &Plan) -> Result<(), EvaluationError> {
    let nodes = runner.dag().nodes().iter();
    let mut known: BTreeSet<String> = nodes.flat_map(|node| node.variables.iter().cloned()).collect();
    let declared = models.iter().filter_map(|model| model.file.as_ref());
    // A file that does not parse is reported with its name once it is planned.
    let declared = declared.filter_map(|file| references(&file.sql, &runner.engine().variables()).ok());
    known.extend(declared.flat_map(|found| found.variables));
    match plan.grid.iter().find(|(name, _)| !known.contains(name)) {
        Some((name, _)) => Err(EvaluationError::UnknownVariable {
            name: name.clone(),
            known: known.into_iter().collect::<Vec<_>>().join(", "),
        }),
        None => Ok(()),
    }
}
