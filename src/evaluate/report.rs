//! What an evaluation found: figures by model and list length, intervals, latency; as rows for tables, JSON and
//! `system.evaluations`.

use serde::Serialize;

use super::bootstrap::Estimate;

/// The names of the measures in [`Figures::estimates`].
pub const MEASURES: [&str; 6] = ["HR", "MRR", "recall", "precision", "NDCG", "MAP"];

/// What was evaluated, and the results.
#[derive(Debug, Clone)]
pub struct Report {
    /// A human-readable description of where the events came from and how they were split.
    pub data: String,
    /// The number of training sessions.
    pub train_sessions: u64,
    /// The number of test sessions.
    pub test_sessions: usize,
    /// The number of cases in them.
    pub cases: usize,
    /// The values of `var('…', …)` that were set.
    pub variables: Vec<(String, String)>,
    /// The results by model, with and without seen items.
    pub measured: Vec<Measured>,
}

/// A model's figures.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Its name.
    pub model: String,
    /// Whether items the session has already seen could be recommended again.
    pub seen: bool,
    /// One entry per `k`.
    pub figures: Vec<Figures>,
    /// The time from a session's requested rows to its list.
    pub latency: Option<Latency>,
}

/// Figures for the first `k` of each list.
#[derive(Debug, Clone)]
pub struct Figures {
    /// The list length.
    pub k: usize,
    /// In the order of [`MEASURES`].
    pub estimates: [Estimate; 6],
    /// The share of all items that were shown at least once.
    pub coverage: f64,
    /// The mean popularity of the items shown, from 0 to 1.
    pub popularity: f64,
}

/// Quantiles of the time per session, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Latency {
    /// The median.
    pub p50_ms: f64,
    /// 90% are faster.
    pub p90_ms: f64,
    /// 99% are faster.
    pub p99_ms: f64,
}

/// One figure, as stored in JSON and in the table of evaluations.
#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct Row<'a> {
    /// The model.
    pub model: &'a str,
    /// Whether items the session has already seen could be recommended again.
    pub seen: bool,
    /// The list length; NULL for latencies.
    pub k: Option<usize>,
    /// The name of the metric.
    pub metric: &'a str,
    /// The figure.
    pub value: f64,
    /// The lower end of the 95% interval, if there is one.
    pub low: Option<f64>,
    /// Its upper end.
    pub high: Option<f64>,
}

impl Report {
    /// Every figure as a row.
    pub fn rows(&self) -> Vec<Row<'_>> {
        self.measured.iter().flat_map(Measured::rows).collect()
    }
}

impl Measured {
    fn rows(&self) -> Vec<Row<'_>> {
        let row = |k, metric, value, low, high| Row {
            model: &self.model,
            seen: self.seen,
            k,
            metric,
            value,
            low,
            high,
        };
        let mut rows = vec![];
        for figures in &self.figures {
            let k = Some(figures.k);
            for (metric, Estimate { value, low, high }) in MEASURES.iter().zip(figures.estimates) {
                rows.push(row(k, metric, value, Some(low), Some(high)));
            }
            rows.push(row(k, "coverage", figures.coverage, None, None));
            rows.push(row(k, "popularity", figures.popularity, None, None));
        }
        if let Some(latency) = self.latency {
            let times = [latency.p50_ms, latency.p90_ms, latency.p99_ms];
            for (metric, value) in ["p50_ms", "p90_ms", "p99_ms"].into_iter().zip(times) {
                rows.push(row(None, metric, value, None, None));
            }
        }
        rows
    }

    /// The figure of a measure for `k`.
    pub fn value(&self, measure: &str, k: usize) -> Option<f64> {
        let place = MEASURES.iter().position(|name| name.eq_ignore_ascii_case(measure))?;
        let figures = self.figures.iter().find(|figures| figures.k == k)?;
        Some(figures.estimates[place].value)
    }
}
