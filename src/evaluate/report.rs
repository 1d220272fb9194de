use serde::Serialize;

use super::bootstrap::Estimate;

/// The measures of [`Figures::estimates`], by their names in reports.
pub const MEASURES: [&str; 6] = ["HR", "MRR", "recall", "precision", "NDCG", "MAP"];

/// What was evaluated, and how it came out.
#[derive(Debug, Clone)]
pub struct Report {
    /// Where the events came from and how they were cut, for people.
    pub data: String,
    /// Sessions that the models learned from.
    pub train_sessions: u64,
    /// Sessions that were foretold.
    pub test_sessions: usize,
    /// Steps of theirs that were asked about.
    pub cases: usize,
    /// The values of `var('…', …)` that were set.
    pub variables: Vec<(String, String)>,
    /// By model, with and without seen items.
    pub measured: Vec<Measured>,
}

/// A model's figures.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Its name.
    pub model: String,
    /// Whether items that the session has had were recommended again.
    pub seen: bool,
    /// One for each `k`.
    pub figures: Vec<Figures>,
    /// How long one session takes, from its rows of `gold.requests` to its list.
    pub latency: Option<Latency>,
}

/// Figures for the first `k` of each list.
#[derive(Debug, Clone)]
pub struct Figures {
    /// How many items count.
    pub k: usize,
    /// In the order of [`MEASURES`].
    pub estimates: [Estimate; 6],
    /// The share of all items that were shown to somebody.
    pub coverage: f64,
    /// How popular what is shown is, from 0 to 1.
    pub popularity: f64,
}

/// Quantiles of the time that one session takes, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Latency {
    /// The median.
    pub p50_ms: f64,
    /// 9 of 10 are faster.
    pub p90_ms: f64,
    /// 99 of 100 are faster.
    pub p99_ms: f64,
}

/// One figure, as JSON and the table of evaluations hold it.
#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct Row<'a> {
    /// The model.
    pub model: &'a str,
    /// Whether items that the session has had were recommended again.
    pub seen: bool,
    /// How many items count; NULL for latencies.
    pub k: Option<usize>,
    /// What was measured.
    pub metric: &'a str,
    /// The figure.
    pub value: f64,
    /// The lower end of the 95 % interval, where there is one.
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

    /// A figure for `k` by the name of its measure.
    pub fn value(&self, measure: &str, k: usize) -> Option<f64> {
        let place = MEASURES.iter().position(|name| name.eq_ignore_ascii_case(measure))?;
        let figures = self.figures.iter().find(|figures| figures.k == k)?;
        Some(figures.estimates[place].value)
    }
}
