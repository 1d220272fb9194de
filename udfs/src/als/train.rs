//! Training in memory: alternates the half-steps over users and items, in parallel, from random factors or those of an
//! earlier model; and how much memory that takes.

use std::ops::ControlFlow;

use rayon::prelude::*;
use sprs::CsMatI;

use super::block::blocks;
use super::interactions::row;
use super::solve::{Row, Side, Workspace, cholesky, conjugate_gradient};
use super::spectrum::Spectrum;
use super::{AlsError, Factors, Interactions, Model, Params, Solver, loss};

/// Rows are split into this many portions of about equal work.
const PORTIONS: usize = 512;
/// The number of rows per matrix product.
const ROWS: usize = 1_024;

/// Called with the number of each iteration, from 1, and the current model; may stop the training.
pub type Each<'f> = dyn FnMut(usize, &Model) -> Result<ControlFlow<()>, AlsError> + 'f;

/// Learns factors: alternately solves the users and the items, for the given number of iterations. After each
/// iteration, `observe` receives its number, from 1, and a function that computes the loss (which costs about a fifth
/// of an iteration) when called.
///
/// # Errors
/// When a parameter is out of range, or a row's equations cannot be solved.
pub fn train(
    interactions: &Interactions,
    params: &Params,
    observe: &mut dyn FnMut(usize, &dyn Fn() -> f64),
) -> Result<Model, AlsError> {
    params.validate()?;
    let model = Model::start(interactions.users(), interactions.items(), params);
    train_from(model, interactions, params, &mut |iteration, model| {
        observe(iteration, &|| loss(interactions, model, params));
        Ok(ControlFlow::Continue(()))
    })
}

/// As [`train`], but from known factors: those of [`Model::start`], or of an earlier model for the rows it has. `each`
/// receives the model after each iteration, and may stop the training.
///
/// # Errors
/// As [`train`]; also when the model has other users, items or dimensions, and whatever `each` returns.
pub fn train_from(
    mut model: Model,
    interactions: &Interactions,
    params: &Params,
    each: &mut Each<'_>,
) -> Result<Model, AlsError> {
    params.validate()?;
    for (factors, rows) in [
        (&model.users, interactions.users()),
        (&model.items, interactions.items()),
    ] {
        if (factors.rows(), factors.dims()) != (rows, params.factors) {
            return Err(AlsError::Shape {
                expected: rows * params.factors,
                found: factors.as_slice().len(),
            });
        }
    }
    for iteration in 1..=params.iterations {
        half_step(interactions.by_user(), &mut model.items, &mut model.users, params)?;
        half_step(interactions.by_item(), &mut model.users, &mut model.items, params)?;
        if each(iteration, &model)?.is_break() {
            break;
        }
    }
    let finite = |factors: &Factors| factors.as_slice().par_iter().all(|value| value.is_finite());
    if !finite(&model.users) || !finite(&model.items) {
        return Err(AlsError::NotFinite);
    }
    Ok(model)
}

/// Roughly how many bytes [`train`] and its [`Interactions`] take at their peak, including building the matrix.
pub fn training_bytes(users: usize, items: usize, nnz: usize, params: &Params) -> usize {
    let d = params.factors;
    let matrix = 28 * nnz + 16 * (users + items);
    // Both sides, some of their rows again for each thread, and square matrices.
    matrix + 4 * d * (users + items) + 4 * d * ROWS * 16 + 4 * d * d * 80
}

/// Solves every row of one side while the other is fixed. Both sides end up in the coordinates in which the Gramian of
/// `fixed` is diagonal: products, lengths and therefore the loss are the same in any coordinates, so nothing is rotated
/// back.
fn half_step(
    matrix: &CsMatI<f32, u32, usize>,
    fixed: &mut Factors,
    solved: &mut Factors,
    params: &Params,
) -> Result<(), AlsError> {
    let (d, objective) = (params.factors, params.objective());
    let spectrum = Spectrum::of(fixed)?;
    fixed
        .as_mut_slice()
        .par_chunks_mut((ROWS * d).max(1))
        .for_each_init(Vec::new, |room, rows| spectrum.turn_in_place(rows, room));
    let side = Side {
        turned: fixed,
        spectrum: spectrum.values(),
        alpha: params.alpha,
    };
    let portions = portions(matrix, solved.as_mut_slice(), d);
    portions.into_par_iter().try_for_each_init(
        || (Workspace::default(), Vec::new()),
        |(workspace, room), (first, rows)| {
            for rows in rows.chunks_mut((ROWS * d).max(1)) {
                spectrum.turn_in_place(rows, room);
            }
            for (index, x) in rows.chunks_exact_mut(d).enumerate() {
                let (items, weights) = row(matrix, first + index);
                let row = Row {
                    items,
                    weights,
                    regularization: objective.of_row(items.len(), fixed.rows()),
                };
                solve(side, row, x, params.solver, workspace)?;
            }
            Ok(())
        },
    )
}

/// Solves one row from its current value.
fn solve(
    side: Side<'_>,
    row: Row<'_>,
    x: &mut [f32],
    solver: Solver,
    workspace: &mut Workspace,
) -> Result<(), AlsError> {
    match solver {
        Solver::ConjugateGradient { steps } if !solver.is_exact(row.items.len()) => {
            conjugate_gradient(side, row, x, steps, workspace);
            Ok(())
        }
        Solver::Block { size } if !solver.is_exact(row.items.len()) => blocks(side, row, x, size, workspace),
        _ => cholesky(side, row, x, workspace),
    }
}

/// All rows of a side in the Gramian's coordinates.
pub(super) fn turned(factors: &Factors, spectrum: &Spectrum) -> Factors {
    let mut turned = Factors::zeros(factors.rows(), factors.dims());
    let chunk = (ROWS * factors.dims()).max(1);
    turned
        .as_mut_slice()
        .par_chunks_mut(chunk)
        .zip(factors.as_slice().par_chunks(chunk))
        .for_each(|(out, rows)| spectrum.turn(rows, out));
    turned
}

/// Splits the rows into portions of about equal work: the cost of a row is its interactions, plus `d` for the Gramian.
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
