//! Confidence intervals of 95%: a bootstrap that draws sessions 1,000 times, as the cases of one session depend on
//! each other.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rayon::prelude::*;

const RESAMPLES: u64 = 1_000;

/// A mean with its 95% confidence interval over samples of sessions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The mean over all cases.
    pub value: f64,
    /// The 2.5th percentile of the resampled means.
    pub low: f64,
    /// The 97.5th.
    pub high: f64,
}

/// The mean of each measure over all cases, with a percentile bootstrap (Efron, 1979) that resamples sessions instead
/// of cases, because the cases of one session are correlated. `cases` holds the session number and the measures of each
/// case, grouped by session. The same input yields the same intervals.
pub fn estimate<const M: usize>(cases: &[(usize, [f64; M])]) -> [Estimate; M] {
    let sessions: Vec<(f64, [f64; M])> = cases
        .chunk_by(|a, b| a.0 == b.0)
        .map(|of_session| {
            let mut sums = [0.0; M];
            for (_, values) in of_session {
                sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            }
            (of_session.len() as f64, sums)
        })
        .collect();
    let values = mean(sessions.iter());
    let resampled: Vec<[f64; M]> = (0..RESAMPLES)
        .into_par_iter()
        .map(|seed| {
            let mut random = StdRng::seed_from_u64(seed);
            let draws = (0..sessions.len()).map(|_| random.random_range(0..sessions.len()));
            mean(draws.map(|session| &sessions[session]))
        })
        .collect();
    std::array::from_fn(|measure| {
        let mut means: Vec<f64> = resampled.iter().map(|means| means[measure]).collect();
        means.sort_by(f64::total_cmp);
        Estimate {
            value: values[measure],
            low: quantile(&means, 0.025),
            high: quantile(&means, 0.975),
        }
    })
}

fn mean<'a, const M: usize>(sessions: impl Iterator<Item = &'a (f64, [f64; M])>) -> [f64; M] {
    let (mut cases, mut sums) = (0.0, [0.0; M]);
    for (of_session, values) in sessions {
        cases += of_session;
        sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
    }
    sums.map(|sum| if cases == 0.0 { 0.0 } else { sum / cases })
}

/// The value below which a share of ascending values lies; 0 if there are none.
pub fn quantile(ascending: &[f64], share: f64) -> f64 {
    let place = share * ascending.len().saturating_sub(1) as f64;
    // Never negative, and less than the length.
    ascending.get(place.round() as usize).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_over_cases_and_the_interval_holds_it() {
        // One session with three cases, one with a single case: (1 + 1 + 1 + 0) / 4.
        let [found] = estimate(&[(0, [1.0]), (0, [1.0]), (0, [1.0]), (1, [0.0])]);
        assert_eq!((found.value, found.low, found.high), (0.75, 0.0, 1.0));
        let [same] = estimate(&[(0, [0.5]), (1, [0.5]), (2, [0.5])]);
        assert_eq!((same.value, same.low, same.high), (0.5, 0.5, 0.5));
        assert_eq!(estimate::<1>(&[])[0].value, 0.0);
    }

    #[test]
    fn quantiles_of_a_hundred() {
        let values: Vec<f64> = (0..=100).map(f64::from).collect();
        assert_eq!(
            [0.0, 0.5, 0.99, 1.0].map(|share| quantile(&values, share)),
            [0.0, 50.0, 99.0, 100.0]
        );
    }
}
