//! One row's normal equations `(G + Σ α w y yᵀ) x = Σ (1 + α w) y`, where `G` is the Gramian with λ on its diagonal.

use multiversion::multiversion;
use rayon::prelude::*;

use super::kernels::{axpy, dot, symmetric_product};
use super::product::times_transposed;
use super::{AlsError, Factors};

/// Rows that are multiplied in one go.
const ROWS: usize = 1_024;

/// Below this a residual is nothing.
const TINY: f32 = 1e-20;

/// What all rows of a half-step share.
#[derive(Debug)]
pub(super) struct Side<'a> {
    /// The side that stands still.
    pub fixed: &'a Factors,
    /// Its Gramian, plus λ on the diagonal: `d x d`.
    pub gramian: &'a [f32],
    /// What [`solve_gramian`] gives for the exact solver; no rows for the other.
    pub solved: &'a Factors,
    /// Confidence of a unit of weight.
    pub alpha: f32,
}

/// Room to work in, one a thread.
#[derive(Debug)]
pub(super) struct Scratch {
    residual: Vec<f32>,
    direction: Vec<f32>,
    product: Vec<f32>,
    matrix: Vec<f32>,
}

impl Scratch {
    pub fn new(dims: usize) -> Self {
        let vector = || vec![0.0; dims];
        Self {
            residual: vector(),
            direction: vector(),
            product: vector(),
            matrix: vec![],
        }
    }
}

/// Conjugate gradients from the row's present value. A row without interactions becomes zero.
#[multiversion(targets("x86_64+avx512f+avx512vl+fma", "x86_64+avx2+fma", "aarch64+neon"))]
pub(super) fn conjugate_gradient(
    side: &Side,
    items: &[u32],
    weights: &[f32],
    x: &mut [f32],
    steps: usize,
    scratch: &mut Scratch,
) {
    if items.is_empty() {
        x.fill(0.0);
        return;
    }
    let Scratch {
        residual: r,
        direction: p,
        product: ap,
        ..
    } = scratch;
    // r = b − A x
    symmetric_product(side.gramian, x, r);
    r.iter_mut().for_each(|value| *value = -*value);
    for (item, weight) in items.iter().zip(weights) {
        let y = side.fixed.row(*item as usize);
        let confidence = side.alpha * weight;
        axpy(1.0 + confidence - confidence * dot(y, x), y, r);
    }
    p.copy_from_slice(r);
    let mut norm = dot(r, r);
    for _ in 0..steps {
        if norm < TINY {
            break;
        }
        symmetric_product(side.gramian, p, ap);
        for (item, weight) in items.iter().zip(weights) {
            let y = side.fixed.row(*item as usize);
            axpy(side.alpha * weight * dot(y, p), y, ap);
        }
        let step = norm / dot(p, ap);
        axpy(step, p, x);
        axpy(-step, ap, r);
        let next = dot(r, r);
        let turn = next / norm;
        for (p, r) in p.iter_mut().zip(r.iter()) {
            *p = r + turn * *p;
        }
        norm = next;
    }
}

/// The exact solution, by Cholesky, of whichever system is smaller: the row's own of `d` unknowns, or that of its `n`
/// interactions. A row without interactions becomes zero.
#[multiversion(targets("x86_64+avx512f+avx512vl+fma", "x86_64+avx2+fma", "aarch64+neon"))]
pub(super) fn cholesky(
    side: &Side,
    items: &[u32],
    weights: &[f32],
    x: &mut [f32],
    scratch: &mut Scratch,
) -> Result<(), AlsError> {
    x.fill(0.0);
    if items.is_empty() {
        return Ok(());
    }
    let d = x.len();
    if items.len() < d && by_interactions(side, items, weights, x, scratch).is_ok() {
        return Ok(());
    }
    x.fill(0.0);
    let a = &mut scratch.matrix;
    a.clear();
    a.extend_from_slice(side.gramian);
    for (item, weight) in items.iter().zip(weights) {
        let y = side.fixed.row(*item as usize);
        let confidence = side.alpha * weight;
        axpy(1.0 + confidence, y, x);
        for row in 0..d {
            // The lower triangle is enough.
            axpy(confidence * y[row], &y[..=row], &mut a[row * d..row * d + row + 1]);
        }
    }
    solve_in_place(a, x)
}

/// The same solution from `n` unknowns, one an interaction. With `Z = G⁻¹ Yᵀ`, which all rows share, and `D` the
/// interactions' `α w` on a diagonal,
///
/// ```text
/// (G + Yᵀ D Y)⁻¹ Yᵀ = Z (I + D Y Z)⁻¹,   so   x = Z c   where   (D⁻¹ + Y Z) c = D⁻¹ (1 + α w)
/// ```
///
/// which costs `n² d + n³` instead of `n d² + d³`: a session has a few interactions only. `D⁻¹ + Y Z` is symmetric and
/// positive definite; where weights differ so much that it is not in 32 bits, the larger system is left to solve.
#[inline(always)]
fn by_interactions(
    side: &Side,
    items: &[u32],
    weights: &[f32],
    x: &mut [f32],
    scratch: &mut Scratch,
) -> Result<(), AlsError> {
    let n = items.len();
    let Scratch {
        matrix: m, residual: c, ..
    } = scratch;
    m.clear();
    m.resize(n * n, 0.0);
    let c = &mut c[..n];
    for (row, (item, weight)) in items.iter().zip(weights).enumerate() {
        let z = side.solved.row(*item as usize);
        for (column, other) in items[..=row].iter().enumerate() {
            m[row * n + column] = dot(z, side.fixed.row(*other as usize));
        }
        let inverse = (side.alpha * weight).recip();
        m[row * n + row] += inverse;
        c[row] = 1.0 + inverse;
    }
    solve_in_place(m, c)?;
    for (item, c) in items.iter().zip(c.iter()) {
        axpy(*c, side.solved.row(*item as usize), x);
    }
    Ok(())
}

/// Solves `A x = b` for a symmetric positive definite `A`, of which the lower triangle is read; `x` holds `b` and then
/// the solution, `a` its Cholesky factor.
#[inline(always)]
fn solve_in_place(a: &mut [f32], x: &mut [f32]) -> Result<(), AlsError> {
    let d = x.len();
    // A = L Lᵀ, row by row, in place.
    for row in 0..d {
        let (above, rest) = a.split_at_mut(row * d);
        let current = &mut rest[..d];
        for column in 0..row {
            let other = &above[column * d..column * d + d];
            current[column] = (current[column] - dot(&current[..column], &other[..column])) / other[column];
        }
        let square = current[row] - dot(&current[..row], &current[..row]);
        if !square.is_finite() || square <= 0.0 {
            return Err(AlsError::NotPositiveDefinite);
        }
        current[row] = square.sqrt();
    }
    // L z = b, then Lᵀ x = z.
    for row in 0..d {
        x[row] = (x[row] - dot(&a[row * d..row * d + row], &x[..row])) / a[row * d + row];
    }
    for row in (0..d).rev() {
        x[row] /= a[row * d + row];
        let value = x[row];
        axpy(-value, &a[row * d..row * d + row], &mut x[..row]);
    }
    Ok(())
}

/// `Z = Y G⁻¹`, a row for each of `fixed`: what [`cholesky`] needs beside the Gramian. The inverse is computed in `f64`.
pub(super) fn solve_gramian(fixed: &Factors, gramian: &[f32]) -> Result<Factors, AlsError> {
    let d = fixed.dims();
    let inverse = invert(gramian, d)?;
    let mut solved = Factors::zeros(fixed.rows(), d);
    solved
        .as_mut_slice()
        .par_chunks_mut(ROWS * d)
        .zip(fixed.as_slice().par_chunks(ROWS * d))
        .for_each(|(out, rows)| times_transposed(out, rows, &inverse, d));
    Ok(solved)
}

/// The inverse of a symmetric positive definite `d x d` matrix.
fn invert(matrix: &[f32], d: usize) -> Result<Vec<f32>, AlsError> {
    let mut l: Vec<f64> = matrix.iter().map(|value| f64::from(*value)).collect();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    for row in 0..d {
        let (above, rest) = l.split_at_mut(row * d);
        let current = &mut rest[..d];
        for column in 0..row {
            let other = &above[column * d..column * d + d];
            current[column] = (current[column] - dot(&current[..column], &other[..column])) / other[column];
        }
        let square = current[row] - dot(&current[..row], &current[..row]);
        if square.is_nan() || square <= 0.0 {
            return Err(AlsError::NotPositiveDefinite);
        }
        current[row] = square.sqrt();
    }
    let mut inverse = vec![0.0_f32; d * d];
    inverse.par_chunks_mut(d).enumerate().for_each(|(unit, out)| {
        let mut x = vec![0.0_f64; d];
        x[unit] = 1.0;
        for row in unit..d {
            x[row] = (x[row] - dot(&l[row * d..row * d + row], &x[..row])) / l[row * d + row];
        }
        for row in (0..d).rev() {
            x[row] /= l[row * d + row];
            let value = x[row];
            for (x, l) in x[..row].iter_mut().zip(&l[row * d..row * d + row]) {
                *x -= value * l;
            }
        }
        for (out, x) in out.iter_mut().zip(x) {
            *out = x as f32;
        }
    });
    Ok(inverse)
}
