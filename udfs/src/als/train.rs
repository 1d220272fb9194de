use rand::SeedableRng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;
use sprs::CsMatI;

use super::gramian::gramian;
use super::interactions::row;
use super::solve::{Scratch, Side, cholesky, conjugate_gradient, solve_gramian};
use super::{AlsError, Factors, Interactions, Params, Solver, loss};

/// Rows are dealt out in so many portions of about equal work.
const PORTIONS: usize = 512;

/// What training found.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// A vector a user.
    pub users: Factors,
    /// A vector an item.
    pub items: Factors,
}

/// Learns factors: solves the users, then the items, as often as asked. After each iteration `observe` gets its
/// number, from 1, and a function that computes the loss (which costs about half an iteration) when called.
///
/// # Errors
/// When a parameter is out of range, or a row's equations cannot be solved.
pub fn train(
    interactions: &Interactions,
    params: &Params,
    observe: &mut dyn FnMut(usize, &dyn Fn() -> f64),
) -> Result<Model, AlsError> {
    params.validate()?;
    let mut model = Model {
        users: Factors::zeros(interactions.users(), params.factors),
        items: start(interactions.items(), params),
    };
    for iteration in 1..=params.iterations {
        half_step(interactions.by_user(), &model.items, &mut model.users, params)?;
        half_step(interactions.by_item(), &model.users, &mut model.items, params)?;
        observe(iteration, &|| loss(interactions, &model, params));
    }
    Ok(model)
}

/// About how many bytes [`train`] and its [`Interactions`] take at their peak, building the matrix included.
pub fn training_bytes(users: usize, items: usize, nnz: usize, params: &Params) -> usize {
    let d = params.factors;
    let matrix = 28 * nnz + 16 * (users + items);
    let solved = match params.solver {
        Solver::Cholesky => 4 * d * users.max(items),
        Solver::ConjugateGradient { .. } => 0,
    };
    matrix + 4 * d * (users + items) + solved + 4 * d * d * 64
}

/// Item factors to start from: normal with σ = 0.1/√d (Rendle, Krichene, Zhang, Koren, "Revisiting the Performance of
/// iALS on Item Recommendation Benchmarks", RecSys 2022). A row's numbers hang on the seed and the row alone.
fn start(items: usize, params: &Params) -> Factors {
    let mut factors = Factors::zeros(items, params.factors);
    let sigma = 0.1 / (params.factors as f32).sqrt();
    factors
        .as_mut_slice()
        .par_chunks_mut(params.factors)
        .enumerate()
        .for_each(|(row, values)| {
            let mut random = StdRng::seed_from_u64(params.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ row as u64);
            for value in values {
                let normal: f32 = StandardNormal.sample(&mut random);
                *value = sigma * normal;
            }
        });
    factors
}

/// Solves every row of one side, the other standing still.
fn half_step(
    matrix: &CsMatI<f32, u32, usize>,
    fixed: &Factors,
    solved: &mut Factors,
    params: &Params,
) -> Result<(), AlsError> {
    let d = params.factors;
    let mut shared = gramian(fixed);
    shared
        .iter_mut()
        .step_by(d + 1)
        .for_each(|diagonal| *diagonal += params.regularization);
    // Only the exact solver needs it: as much memory again as the side that stands still.
    let gramian_solved = match params.solver {
        Solver::Cholesky => solve_gramian(fixed, &shared)?,
        Solver::ConjugateGradient { .. } => Factors::zeros(0, d),
    };
    let side = Side {
        fixed,
        gramian: &shared,
        solved: &gramian_solved,
        alpha: params.alpha,
    };
    let portions = portions(matrix, solved.as_mut_slice(), d);
    portions.into_par_iter().try_for_each_init(
        || Scratch::new(d),
        |scratch, (first, rows)| {
            for (index, x) in rows.chunks_exact_mut(d).enumerate() {
                let (items, weights) = row(matrix, first + index);
                match params.solver {
                    Solver::ConjugateGradient { steps } => conjugate_gradient(&side, items, weights, x, steps, scratch),
                    Solver::Cholesky => cholesky(&side, items, weights, x, scratch)?,
                }
            }
            Ok(())
        },
    )
}

/// Cuts the rows into portions of about equal work: a row costs its interactions, and `d` for the Gramian.
fn portions<'a>(matrix: &CsMatI<f32, u32, usize>, mut values: &'a mut [f32], d: usize) -> Vec<(usize, &'a mut [f32])> {
    let goal = (matrix.nnz() + matrix.rows() * d / 4).div_ceil(PORTIONS).max(1);
    let mut portions = vec![];
    let (mut first, mut work) = (0, 0);
    for current in 0..matrix.rows() {
        work += row(matrix, current).0.len() + d / 4;
        if work >= goal || current + 1 == matrix.rows() {
            let (portion, rest) = values.split_at_mut((current + 1 - first) * d);
            portions.push((first, portion));
            (values, first, work) = (rest, current + 1, 0);
        }
    }
    portions
}
