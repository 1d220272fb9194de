//! The Gramian `YᵀY` of a side's factors, which all rows of a half-step share; the same numbers with any number of
//! threads.

use rayon::prelude::*;

use super::Factors;
use super::product::gram;

/// The number of partial sums, which are added in order, however many threads there are.
const PARTS: usize = 64;

/// `YᵀY`, `d x d`, row-major: `2 · rows · d²` operations. The sum does not depend on the number of threads.
pub fn gramian(factors: &Factors) -> Vec<f32> {
    let d = factors.dims();
    let rows = factors.rows().div_ceil(PARTS).max(1);
    let parts: Vec<Vec<f32>> = factors
        .as_slice()
        .par_chunks((rows * d).max(1))
        .map(|part| {
            let mut out = vec![0.0; d * d];
            gram(&mut out, part, d);
            out
        })
        .collect();
    let mut sum = vec![0.0; d * d];
    for part in parts {
        for (sum, part) in sum.iter_mut().zip(part) {
            *sum += part;
        }
    }
    sum
}
