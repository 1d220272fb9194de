//! A model: user and item factors; and the random numbers that training starts from, which depend on the seed alone. An
//! earlier model as a start is `functions/warm_start.rs`.

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use super::{Factors, Params};

/// The result of training.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// One vector per user.
    pub users: Factors,
    /// One vector per item.
    pub items: Factors,
}

impl Model {
    /// The initial model: random items, and users of zeros.
    pub fn start(users: usize, items: usize, params: &Params) -> Self {
        Self {
            users: Factors::zeros(users, params.factors),
            items: start(items, params),
        }
    }
}

/// The initial item factors: normal with σ = init_scale/√d (Rendle, Krichene, Zhang, Koren, "Revisiting the Performance
/// of iALS on Item Recommendation Benchmarks", RecSys 2022). A row's numbers depend only on the seed and the row.
fn start(items: usize, params: &Params) -> Factors {
    let mut factors = Factors::zeros(items, params.factors);
    factors
        .as_mut_slice()
        .par_chunks_mut(params.factors)
        .enumerate()
        .for_each(|(row, values)| start_row(row as u64, params, values));
    factors
}

/// The initial vector of an item, given its position among the items.
pub fn start_row(row: u64, params: &Params, values: &mut [f32]) {
    let sigma = params.init_scale / (params.factors as f32).sqrt();
    let mut random = StdRng::seed_from_u64(params.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ row);
    for value in values {
        let normal: f32 = StandardNormal.sample(&mut random);
        *value = sigma * normal;
    }
}
