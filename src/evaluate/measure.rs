//! Runs a model on all cases and scores its lists with the metrics, with and without items that the session has seen;
//! an item to come that training has not seen is never hit; measures the latency of single requests.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Instant;

use arrow::array::{Array, AsArray, RecordBatch, UInt64Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::Float64Type;
use datafusion::error::DataFusionError;

use super::EvaluationError;
use super::bootstrap::{estimate, quantile};
use super::cases::{Case, Cases, number};
use super::metrics::{
    average_precision, coverage, hit_rate, ndcg, popularity_bias, precision, rank, recall, reciprocal_rank,
};
use super::models::Model;
use super::report::{Figures, Latency, Measured};
use crate::config::SqlFile;
use crate::engine::query;
use crate::pipeline::Runner;
use crate::recommender::{Recommender, Requests, floats, step, texts};

/// The number of cases per request.
const CHUNK: usize = 2_000;
/// The number of cases requested one at a time, to measure latency.
const SINGLE: usize = 1_000;

/// The requests sent to every model, and how to score the answers.
#[derive(Debug)]
pub struct Exam<'a> {
    runner: &'a Runner,
    cases: &'a Cases,
    ks: &'a [usize],
    /// The requested rows for each chunk of cases.
    requests: Vec<RecordBatch>,
    items: Items,
}

impl<'a> Exam<'a> {
    /// Turns the cases into rows of the view of requests, and reads the popularity of items.
    ///
    /// # Errors
    /// When the project's SQL fails.
    pub async fn new(runner: &'a Runner, cases: &'a Cases, ks: &'a [usize]) -> Result<Self, EvaluationError> {
        let to_requests = Requests::new(runner).await?;
        let mut requests = vec![];
        let count = cases.all().len();
        for start in (0..count).step_by(CHUNK) {
            let known = cases.known(start..(start + CHUNK).min(count))?;
            requests.push(to_requests.of_events(vec![known]).await?);
        }
        Ok(Self {
            runner,
            cases,
            ks,
            requests,
            items: Items::of(runner).await?,
        })
    }

    /// Runs a model on all cases, with or without items the session has already seen; if `timed`, also runs some cases
    /// one at a time.
    ///
    /// # Errors
    /// When its SQL fails.
    pub async fn measure(&self, model: &Model, seen: bool, timed: bool) -> Result<Measured, EvaluationError> {
        let recommender = self.recommender(model, seen).await?;
        let mut lists = Lists::new(self.cases.all().len());
        for requests in &self.requests {
            for answer in recommender.answer(requests).await? {
                lists.add(&answer, &self.items.numbers)?;
            }
        }
        let by_item = |case: &Case| self.targets(case);
        let figures = self.ks.iter().map(|k| self.figures(&lists, &by_item, *k)).collect();
        Ok(Measured {
            model: model.name.clone(),
            seen,
            figures,
            latency: match timed {
                true => Some(self.latency(&recommender).await?),
                false => None,
            },
        })
    }

    async fn recommender(&self, model: &Model, seen: bool) -> Result<Recommender, EvaluationError> {
        // One more than is scored, to detect a tie at the end of the list.
        let k = self.ks.iter().max().copied().unwrap_or(20) + 1;
        let file = match &model.file {
            Some(file) => file.clone(),
            None => {
                let own = &step(self.runner, &self.runner.recommender().recommendations)?.step;
                SqlFile {
                    file: own.file.clone(),
                    sql: own.sql.clone(),
                }
            }
        };
        let mut variables = self.runner.engine().variables();
        variables.insert("k".to_owned(), k.to_string());
        variables.insert("exclude_seen".to_owned(), (!seen).to_string());
        variables.insert("seen".to_owned(), if seen { "show" } else { "hide" }.to_owned());
        let engine = self.runner.engine().clone().single_threaded().with_variables(variables);
        Ok(Recommender::of_file(self.runner, &engine, &file).await?)
    }

    /// The number of the next item, and those of the distinct items to come.
    fn targets(&self, case: &Case) -> (u32, Vec<u32>) {
        let item = |id: &str| self.items.numbers.get(id).copied().unwrap_or(u32::MAX);
        let to_come: BTreeSet<&str> = self.cases.to_come(case).collect();
        (item(self.cases.next(case)), to_come.into_iter().map(item).collect())
    }

    fn figures(&self, lists: &Lists, targets: &dyn Fn(&Case) -> (u32, Vec<u32>), k: usize) -> Figures {
        let measures = |(case, list): (&Case, &Vec<(u32, f64)>)| {
            let (next, to_come) = targets(case);
            let rank = rank(list, next);
            let items = worst_first(list, &to_come);
            let values = [
                hit_rate(rank, k),
                reciprocal_rank(rank, k),
                recall(&items, &to_come, k),
                precision(&items, &to_come, k),
                ndcg(&items, &to_come, k),
                average_precision(&items, &to_come, k),
            ];
            (case.session, values)
        };
        let values: Vec<(usize, [f64; 6])> = self.cases.all().iter().zip(&lists.0).map(measures).collect();
        let items: Vec<Vec<u32>> = lists.0.iter().map(|list| worst_first(list, &[])).collect();
        let shown = || items.iter().map(Vec::as_slice);
        Figures {
            k,
            estimates: estimate(&values),
            coverage: coverage(shown(), self.items.sessions.len(), k),
            popularity: popularity_bias(shown(), &self.items.sessions, k),
        }
    }

    /// The wall time from a session's requested rows to its list, after a warm-up request.
    async fn latency(&self, recommender: &Recommender) -> Result<Latency, EvaluationError> {
        let step = self.cases.all().len().div_ceil(SINGLE).max(1);
        let mut taken = vec![];
        for (chunk, requests) in self.requests.iter().enumerate() {
            let mut rows: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
            for (row, session) in texts(requests, "session_id")?.iter().enumerate() {
                if let Some(case) = session.and_then(number).filter(|case| case % step == 0) {
                    rows.entry(case).or_default().push(row as u64);
                }
            }
            for (place, (_, rows)) in rows.into_iter().enumerate() {
                let one = take_record_batch(requests, &UInt64Array::from(rows))?;
                if chunk == 0 && place == 0 {
                    recommender.answer(&one).await?;
                }
                let asked = Instant::now();
                recommender.answer(&one).await?;
                taken.push(asked.elapsed().as_secs_f64() * 1e3);
            }
        }
        taken.sort_by(f64::total_cmp);
        Ok(Latency {
            p50_ms: quantile(&taken, 0.5),
            p90_ms: quantile(&taken, 0.9),
            p99_ms: quantile(&taken, 0.99),
        })
    }
}

/// The items of the training sessions.
#[derive(Debug)]
struct Items {
    numbers: HashMap<String, u32>,
    /// The number of sessions each item occurs in.
    sessions: Vec<f64>,
}

impl Items {
    async fn of(runner: &Runner) -> Result<Self, EvaluationError> {
        let session = runner.session().await?;
        let sql = format!(
            "select item_id, cast(count(distinct session_id) as double) as sessions from {} where item_id is not null \
             group by item_id order by item_id",
            runner.recommender().events
        );
        let (mut numbers, mut sessions) = (HashMap::new(), vec![]);
        for batch in query(&session, &sql).await?.collect().await? {
            for id in texts(&batch, "item_id")?.iter().flatten() {
                numbers.insert(id.to_owned(), numbers.len() as u32);
            }
            sessions.extend(
                batch
                    .column(1)
                    .as_primitive::<Float64Type>()
                    .iter()
                    .map(Option::unwrap_or_default),
            );
        }
        Ok(Self { numbers, sessions })
    }
}

/// The items shown for each case, with their scores.
struct Lists(Vec<Vec<(u32, f64)>>);

impl Lists {
    fn new(cases: usize) -> Self {
        Self(vec![vec![]; cases])
    }

    fn add(&mut self, answer: &RecordBatch, numbers: &HashMap<String, u32>) -> Result<(), DataFusionError> {
        let (sessions, items) = (texts(answer, "session_id")?, texts(answer, "item_id")?);
        let scores = floats(answer, "score")?;
        for row in (0..answer.num_rows()).filter(|row| items.is_valid(*row)) {
            let list = number(sessions.value(row)).and_then(|case| self.0.get_mut(case));
            if let (Some(list), Some(item)) = (list, numbers.get(items.value(row))) {
                list.push((*item, scores.value(row)));
            }
        }
        Ok(())
    }
}

/// The items of a list, best first. Among items with equal scores, those to come are last, so that ties count against
/// us.
fn worst_first(list: &[(u32, f64)], to_come: &[u32]) -> Vec<u32> {
    let mut list = list.to_vec();
    let came = |item: &u32| to_come.contains(item);
    list.sort_by(|a, b| {
        let by_score = b.1.total_cmp(&a.1);
        by_score.then(came(&a.0).cmp(&came(&b.0))).then(a.0.cmp(&b.0))
    });
    list.into_iter().map(|(item, _)| item).collect()
}
