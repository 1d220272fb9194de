//! How good recommendations are on sessions that the models have not seen.
//!
//! Time is cut: sessions before the cut are learned from, by the project's own steps in a lake of their own; sessions
//! after it are revealed step by step, and each step's answer is held against what followed. Every item of the training
//! sessions is a candidate; ties count against us.
//!
//! - [`Data`]: training and test events, from the lake or from files.
//! - [`Cases`]: the steps of test sessions.
//! - [`Scratch`]: the lake that the models learn in.
//! - [`MODELS`]: what stands side by side.
//! - [`metrics`]: the measures, one a file; [`bootstrap`](mod@bootstrap): how sure they are.
//! - [`Report`]: all figures.

mod bootstrap;
mod cases;
mod data;
mod error;
mod grid;
mod history;
mod import;
mod measure;
pub mod metrics;
mod models;
mod overlap;
mod report;
mod scratch;
mod split;

use std::collections::{BTreeMap, BTreeSet};

pub use bootstrap::Estimate;
pub use cases::{Case, Cases, Reveal};
pub use data::{Data, Origin};
pub use error::EvaluationError;
pub use history::save;
pub use measure::Exam;
pub use models::{BLEND, MODELS, Model};
pub use report::{Figures, Latency, MEASURES, Measured, Report};
pub use scratch::Scratch;
pub use split::{Cut, Split, split};

use crate::pipeline::Runner;

/// What to measure.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How many items count, each for itself.
    pub ks: Vec<usize>,
    /// The models, by name; all where empty.
    pub models: Vec<String>,
    /// Values to try for each `var('…', …)`.
    pub grid: Vec<(String, Vec<String>)>,
    /// The measure that the grid is judged by, at the largest `k`, of the last of the models.
    pub judge: String,
    /// Sessions of the training part that the grid is judged on.
    pub validation: Cut,
    /// At most so many of them.
    pub sample: usize,
}

/// How one combination of the grid came out.
#[derive(Debug, Clone)]
pub struct Tried {
    /// Its values.
    pub variables: BTreeMap<String, String>,
    /// What it was judged by.
    pub score: f64,
}

/// Tries every combination of the grid on a part of the training sessions, and then, with the best, measures all models
/// on the test sessions. `observe` hears what is being done.
///
/// # Errors
/// When a name is not known, a side has no sessions, or the project's SQL fails.
pub async fn evaluate(
    scratch: &Scratch,
    data: &Data,
    plan: &Plan,
    observe: &mut dyn FnMut(&str),
) -> Result<(Report, Vec<Tried>), EvaluationError> {
    let models = chosen(&plan.models)?;
    let tried = match plan.grid.is_empty() {
        true => vec![],
        false => tune(scratch, plan, &models, observe).await?,
    };
    // Of equals the first.
    let best = tried.iter().rev().max_by(|a, b| a.score.total_cmp(&b.score));
    let variables = best.map_or_else(BTreeMap::new, |best| best.variables.clone());
    observe("learning from the training sessions");
    let runner = scratch.learn(&variables).await?;
    let cases = Cases::new(data.test.clone(), data.reveal)?;
    let exam = Exam::new(&runner, &cases, &plan.ks).await?;
    let mut measured = vec![];
    for seen in [true, false] {
        for model in &models {
            observe(&format!("asking {} {} times", model.name, cases.all().len()));
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

/// Cuts the training sessions once more, and tries every combination on the later part.
async fn tune(
    scratch: &Scratch,
    plan: &Plan,
    models: &[Model],
    observe: &mut dyn FnMut(&str),
) -> Result<Vec<Tried>, EvaluationError> {
    let whole = Runner::new(scratch.project(), scratch.engine()).await?;
    let cut = split(&whole.session().await?, plan.validation, Some(plan.sample)).await?;
    let earlier = Scratch::new(scratch.project(), &whole, cut.train).await?;
    let cases = Cases::new(cut.test, Reveal::EveryStep)?;
    let (Some(model), Some(k)) = (models.last(), plan.ks.iter().max()) else {
        return Ok(vec![]);
    };
    let mut tried = vec![];
    for variables in grid::combinations(&plan.grid) {
        let runner = earlier.learn(&variables).await?;
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

/// Checks the names of models and variables, before any work.
///
/// # Errors
/// When one is not known.
pub fn check(runner: &Runner, plan: &Plan) -> Result<(), EvaluationError> {
    chosen(&plan.models)?;
    known_variables(runner, plan)
}

fn chosen(names: &[String]) -> Result<Vec<Model>, EvaluationError> {
    if names.is_empty() {
        return Ok(MODELS.to_vec());
    }
    let model = |name: &String| {
        let found = MODELS.iter().find(|model| model.name == name).copied();
        found.ok_or_else(|| EvaluationError::UnknownModel {
            name: name.clone(),
            known: MODELS.map(|model| model.name).join(", "),
        })
    };
    names.iter().map(model).collect()
}

/// A name that no SQL has would change nothing.
fn known_variables(runner: &Runner, plan: &Plan) -> Result<(), EvaluationError> {
    let known: BTreeSet<&str> = runner
        .dag()
        .nodes()
        .iter()
        .flat_map(|node| node.variables.iter().map(String::as_str))
        .collect();
    match plan.grid.iter().find(|(name, _)| !known.contains(name.as_str())) {
        Some((name, _)) => Err(EvaluationError::UnknownVariable {
            name: name.clone(),
            known: known.into_iter().collect::<Vec<_>>().join(", "),
        }),
        None => Ok(()),
    }
}
